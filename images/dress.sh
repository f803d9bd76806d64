#!/bin/bash
# Turns a bootstrapped system into a server that somebody uses: takes away what tells of its making,
# puts in the guest's own programs. For a folder (images/build.sh), or for the system itself while its
# image is built (containers/targets/*/Dockerfile).
#
#   images/dress.sh ROOT PROGRAMS FILES   PROGRAMS holds `init` and `login`, FILES goes over the rest
set -euo pipefail
umask 022
[ $# -eq 3 ] && [ -x "$2/init" ] && [ -x "$2/login" ] && [ -d "$3" ] || {
  sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
  exit 64
}
root=${1%/} programs=$2 files=$3

locked_hash() {
  local digest
  digest=$(printf 'sandtrap guest %s' "$1" | sha512sum | cut -c1-128 | sed 's/../\\x&/g')
  # shellcheck disable=SC2059
  digest=$(printf "$digest" | base64 -w0 | tr '+' '.')
  printf '$y$j9T$%s$%s' "${digest:0:22}" "${digest:22:43}"
}

rm -rf "$root"/.dockerenv "$root"/etc/apt/apt.conf.d/99mmdebstrap "$root"/etc/apt/apt.conf.d/docker-* \
  "$root"/etc/dpkg/dpkg.cfg.d/99mmdebstrap "$root"/etc/dpkg/dpkg.cfg.d/docker* "$root"/var/cache/apt/*.bin \
  "$root"/var/log/apt "$root"/var/log/*.log "$root"/etc/ssh/ssh_host_* "$root"/var/lib/apt/lists/* \
  "$root"/var/cache/debconf/*-old "$root"/var/lib/dpkg/*-old "$root"/etc/*-
# A running build has its /dev, and some files of /etc, from the engine, which brings its own later too.
[ -z "$root" ] || rm -rf "$root"/dev
mkdir -p "$root"/dev "$root"/var/lib/apt/lists/partial "$root"/run/lock "$root"/run/sshd
chmod 1777 "$root"/run/lock
cp -R --no-preserve=all "$files"/. "$root"/
: >"$root"/etc/machine-id
install -m 0664 -o 0 -g 43 /dev/null "$root"/run/utmp     # 43: utmp in every Debian
install -m 0664 -o 0 -g 43 /dev/null "$root"/var/log/wtmp
install -m 0660 -o 0 -g 43 /dev/null "$root"/var/log/btmp
install -m 0664 -o 0 -g 43 /dev/null "$root"/var/log/lastlog
# A hash of the right form that no password has: the honeypot decides about logins.
sed -i "s|^root:[^:]*:|root:$(locked_hash root):|" "$root"/etc/shadow
install -m 0755 "$programs"/login "$root"/usr/lib/openssh/sshd-session
install -m 0755 "$programs"/init "$root"/usr/lib/systemd/systemd
ln -sfn /lib/systemd/systemd "$root"/usr/sbin/init
