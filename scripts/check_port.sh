#!/bin/sh
# May SandTrap take the SSH port of this machine? Changes nothing; says what is in the way and what
# to do about it.
#
#   scripts/check_port.sh [--port N] [--no-sshd]
#   scripts/check_port.sh --help
#
#   --port N    the port (default: 22)
#   --no-sshd   do not ask for an sshd on another port: this machine is administered otherwise
# Needs root and `ss` (iproute2). Exit status: 0 SandTrap may take it, or has it; 1 it may not;
# 2 wrong command line.
set -eu

port=22 need_sshd=yes
while [ $# -gt 0 ]; do
  case $1 in
  --port)
    port=${2:-}
    case $port in '' | *[!0-9]*) echo "check_port: --port needs a number" >&2; exit 2 ;; esac
    shift 2
    ;;
  --no-sshd) need_sshd=no; shift ;;
  -h | --help)
    sed -n '2,11s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
  *)
    echo "check_port: unknown argument $1 (try --help)" >&2
    exit 2
    ;;
  esac
done
refuse() {
  printf 'check_port: NO: %s\n' "$1" >&2
  [ $# -lt 2 ] || printf '  %s\n' "$2" >&2
  exit 1
}
[ "$(id -u)" = 0 ] || refuse "needs root, to see who listens"
command -v ss >/dev/null || refuse "needs ss: apt-get install iproute2"
move="Keep a second session open; then: printf 'Port 22022\\n' > /etc/ssh/sshd_config.d/port.conf; \
sshd -t && systemctl restart ssh; log in through port 22022 before you go on."

# users:(("sshd",pid=1,fd=3),("systemd",pid=1,fd=9)) -> sshd systemd
names() { sed -n 's/.*users:((\(.*\)))$/\1/p' | tr '(' '\n' | sed -n 's/^"\([^"]*\)".*/\1/p' | sort -u; }

for name in $(ss -Hltnp "sport = :$port" | names); do
  case $name in
  sandtrap*) echo "check_port: yes: SandTrap has port $port" && exit 0 ;;
  sshd) refuse "this machine's own sshd listens on port $port." "$move" ;;
  systemd | init)
    refuse "systemd holds port $port for a socket unit." \
      "systemctl list-sockets shows which; if it is ssh.socket: systemctl disable --now ssh.socket. $move"
    ;;
  *) refuse "$name listens on port $port." "Stop it, or give SandTrap another port (server.listen)." ;;
  esac
done
[ -z "$(ss -Hltn "sport = :$port")" ] || refuse "port $port is taken, by a process that cannot be seen from here."

if sshd=$(command -v sshd) && settings=$("$sshd" -T 2>/dev/null) &&
  printf '%s\n' "$settings" | grep -qx "port $port"; then
  refuse "sshd's configuration still names port $port: its next start would fail, or take the port." "$move"
fi
if [ $need_sshd = yes ] && ! ss -Hltnp | grep -q '"sshd"'; then
  refuse "no sshd listens on any port: you may lock yourself out." \
    "If this machine is administered otherwise, say --no-sshd."
fi
echo "check_port: yes: port $port is free"
