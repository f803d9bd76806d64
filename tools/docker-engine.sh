#!/bin/sh
# A private Docker Engine for the tests: own data root, own socket, no bridge, no packet rules, no
# change to this machine's forwarding. Everything lives below DIR (default build/docker).
#
#   tools/docker-engine.sh start [DIR]    starts it, waits until it answers, prints its socket
#   tools/docker-engine.sh stop [DIR]     ends what start started, unmounts everything below DIR
#   tools/docker-engine.sh status [DIR]   prints the socket of a running engine, ours or the
#                                         machine's own; exit 1 when there is none
#   tools/docker-engine.sh start --network [DIR]   with bridges and packet rules, in a network
#                                         namespace of its own: nothing of this machine's changes,
#                                         and nothing outside can be reached
# Exit 77: this machine cannot run one (not root, or no dockerd).
set -eu

usage() { sed -n '2,13s/^# \{0,1\}//p' "$0"; }
here=$(cd "$(dirname "$0")/.." && pwd)
verb=${1:-}
network=no
if [ "${2:-}" = --network ]; then
  network=yes
  dir=${3:-$here/build/docker}
else
  dir=${2:-$here/build/docker}
fi
case $dir in /*) ;; *) dir=$PWD/$dir ;; esac
system_socket=/var/run/docker.sock
socket=$dir/docker.sock
pid_file=$dir/docker.pid
# One per DIR: several such engines may run.
cgroup_name=sandtrap-test-engine-$(printf %s "$dir" | cksum | cut -d" " -f1)

answers() { # SOCKET
  [ -S "$1" ] && [ "$(curl -s --max-time 2 --unix-socket "$1" http://docker/_ping 2>/dev/null)" = OK ]
}

our_pid() { # prints the pid of the engine that was started for DIR, if it still runs
  pid=$(cat "$pid_file" 2>/dev/null) || return 1
  case $pid in '' | *[!0-9]*) return 1 ;; esac
  # A pid may have been reused since: only a dockerd on our data root is ours.
  { tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -qF -- "--data-root=$dir/data" || return 1
  echo "$pid"
}

wait_gone() { # PID TENTHS
  left=$2
  while [ -d "/proc/$1" ] && [ "$left" -gt 0 ]; do
    sleep 0.1
    left=$((left - 1))
  done
  [ ! -d "/proc/$1" ]
}

start() {
  if [ "$(id -u)" != 0 ]; then
    echo "docker-engine: needs root" >&2
    exit 77
  fi
  dockerd=$(command -v dockerd) || {
    echo "docker-engine: dockerd is not installed (Debian: apt-get install docker.io)" >&2
    exit 77
  }
  mkdir -p "$dir"
  rm -f "$dir/started-by-test" # the tests stop only an engine that carries this mark
  if our_pid >/dev/null && answers "$socket"; then
    echo "$socket"
    return
  fi
  if [ "${#dir}" -gt 60 ]; then # containerd's socket paths below it must stay under 108 bytes
    echo "docker-engine: $dir is too long a path for unix sockets" >&2
    exit 1
  fi
  rm -f "$socket"
  echo '{}' >"$dir/daemon.json" # or it would read the machine's own /etc/docker/daemon.json
  set -- "$dockerd" --data-root="$dir/data" --exec-root="$dir/run" --pidfile="$pid_file" \
    --host="unix://$socket" --config-file="$dir/daemon.json" \
    --cgroup-parent="/$cgroup_name" --shutdown-timeout=2 --log-level=warn
  if [ "$network" = yes ]; then
    set -- unshare --net sh -c 'ip link set lo up && exec "$@"' sh "$@"
  else
    set -- "$@" --bridge=none --iptables=false --ip6tables=false --ip-forward=false
  fi
  # dockerd runs its own containerd below the exec root when it is told of no other.
  setsid "$@" </dev/null >"$dir/dockerd.log" 2>&1 9>&- &
  started=$!
  left=300
  while ! answers "$socket"; do
    left=$((left - 1))
    if [ "$left" = 0 ] || [ ! -d "/proc/$started" ]; then
      echo "docker-engine: dockerd did not come up; the end of $dir/dockerd.log:" >&2
      tail -n 20 "$dir/dockerd.log" >&2
      stop
      exit 1
    fi
    sleep 0.1
  done
  echo "$socket"
}

stop() {
  if pid=$(our_pid); then
    kill -TERM "$pid" 2>/dev/null || true
    wait_gone "$pid" 150 || kill -KILL "$pid" 2>/dev/null || true
    wait_gone "$pid" 50 || true
  fi
  # Its containerd ends with it; after a kill -9 of dockerd it may not have.
  child=$(cat "$dir/run/containerd/containerd.pid" 2>/dev/null) || child=none
  if [ -d "/proc/$child" ] && tr '\0' ' ' <"/proc/$child/cmdline" | grep -qF "$dir/run/containerd"; then
    kill -TERM "$child" 2>/dev/null || true
    wait_gone "$child" 50 || kill -KILL "$child" 2>/dev/null || true
  fi
  stop_shims
  # Deepest first.
  awk -v d="$dir/" 'index($5, d) == 1 { print $5 }' /proc/self/mountinfo | sort -r |
    while read -r point; do umount "$point" 2>/dev/null || umount -l "$point" || true; done
  find /sys/fs/cgroup -depth -type d -path "*/$cgroup_name*" -exec rmdir {} + 2>/dev/null || true
  rm -f "$socket" "$pid_file"
}

stop_shims() { # containers of an engine that died uncleanly: their shims name our containerd
  for cmdline in /proc/[0-9]*/cmdline; do
    { tr '\0' ' ' <"$cmdline"; } 2>/dev/null | grep -q "^[^ ]*containerd-shim.* -address $dir/run/" ||
      continue
    shim=${cmdline#/proc/}
    shim=${shim%/cmdline}
    { tr ' ' '\n' <"/proc/$shim/task/$shim/children"; } 2>/dev/null | while read -r child; do
      kill -KILL "$child" 2>/dev/null || true
    done
    kill -KILL "$shim" 2>/dev/null || true
    wait_gone "$shim" 20 || true
  done
}

locked() { # two test programs may start or stop it at the same moment
  mkdir -p "$dir"
  exec 9>"$dir/lock"
  flock 9
  "$@"
}

case $verb in
start) locked start ;;
stop) if [ -d "$dir" ]; then locked stop; fi ;;
status)
  if answers "$socket"; then
    echo "$socket"
  elif answers "$system_socket"; then
    echo "$system_socket"
  else
    echo "no Docker Engine answers" >&2
    exit 1
  fi
  ;;
-h | --help) usage ;;
*)
  usage >&2
  exit 2
  ;;
esac
