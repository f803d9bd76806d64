#!/bin/bash
# Builds the guest image: one Debian 12 root file system, as a tar (Docker imports it) and, with
# every owner shifted into the sandboxes' user namespace, as a directory (the embedded engine's
# shared lower layer). See docs/sandbox.md.
#
#   DIR/debian-12.tar          the image            DIR/debian-12.tar.sha256  its digest
#   DIR/debian-12/rootfs/      the shifted tree     DIR/debian-12/userns-base the shift
#   DIR/cache/                 the bootstrap, reused until packages or sources change
#
# The same inputs give the same tar. A second call with unchanged inputs returns at once.
set -euo pipefail
umask 022
export LC_ALL=C

usage() {
  cat <<'USAGE'
usage: images/build.sh [--output DIR] [--guest-programs DIR] [--userns-base N] [--no-rootfs] [--force]
  --output DIR          where the image goes (default: build/guest)
  --guest-programs DIR  folder with the built `init` and `login` (default: programs/, or the first build/*/guest)
  --userns-base N       first host uid of the sandboxes' user namespace (default: 200000)
  --no-rootfs           only the tar, for Docker
  --force               build again even if nothing changed
USAGE
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
output=$here/../build/guest programs='' base=200000 rootfs=yes force=no
while [ $# -gt 0 ]; do
  case $1 in
    --output) output=${2:?--output needs a folder}; shift 2 ;;
    --guest-programs) programs=${2:?--guest-programs needs a folder}; shift 2 ;;
    --userns-base) base=${2:?--userns-base needs a number}; shift 2 ;;
    --no-rootfs) rootfs=no; shift ;;
    --force) force=yes; shift ;;
    -h|--help) usage; exit 0 ;;
    *) echo "build.sh: unknown argument $1" >&2; usage >&2; exit 64 ;;
  esac
done
[[ $base =~ ^[0-9]{5,10}$ ]] || { echo "build.sh: --userns-base: a number of at least 10000" >&2; exit 64; }

say() { printf 'image: %s\n' "$*" >&2; }
die() { printf 'image: error: %s\n' "$*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || die "needs root (owners and modes of the guest's files)"
command -v mmdebstrap >/dev/null || die "mmdebstrap is missing: apt-get install mmdebstrap"
if [ -z "$programs" ]; then
  for candidate in "$here"/programs "$here"/../build/release/guest "$here"/../build/*/guest; do
    [ -x "$candidate/login" ] && [ -x "$candidate/init" ] && programs=$candidate && break
  done
fi
[ -n "$programs" ] && [ -x "$programs/login" ] && [ -x "$programs/init" ] ||
  die "guest programs init and login not found; build them, or give --guest-programs DIR"

mkdir -p "$output/cache"
output=$(cd "$output" && pwd) programs=$(cd "$programs" && pwd)
exec 9>"$output/.lock"
flock -n 9 || { say "another build is running here; waiting for it"; flock 9; }

# Fixed time of every file that the build touches: the image does not tell when it was made.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-1746100000}
packages=$(sed -e 's/#.*//' -e '/^ *$/d' "$here/packages.txt" | sort | paste -sd, -)

# --- stage 1: the bootstrap, from this machine's own APT sources -----------------------------------
# shellcheck source=images/apt.sh
. "$here/apt.sh"

bootstrap() {
  local sources options key
  sources=$(apt_sources)
  grep -q ' bookworm main$' <<<"$sources" ||
    die "no Debian 12 (bookworm) archive among this machine's APT sources (run apt-get update?)"
  options=$(apt_options)
  key=$(printf '%s\n' "$packages" "$sources" "$SOURCE_DATE_EPOCH" "$(sed -n '/^  mmdebstrap/,/^$/p' "$0")" |
    sha256sum | cut -c1-16)
  base_tar=$output/cache/base-$key.tar
  [ -s "$base_tar" ] && { say "bootstrap: cached"; return; }
  say "bootstrap: Debian 12 with $(tr , '\n' <<<"$packages" | wc -l) packages; takes a few minutes"
  local args=()
  while IFS= read -r line; do [ -n "$line" ] && args+=("--aptopt=$line"); done <<<"$options"
  mmdebstrap --mode=root --variant=minbase --include="$packages" --format=tar \
    "${args[@]}" --aptopt='Apt::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='path-exclude=/usr/share/lintian/*' \
    --customize-hook='echo en_US.UTF-8 UTF-8 >"$1/etc/locale.gen"; chroot "$1" locale-gen >&2' \
    bookworm "$base_tar.partial" - <<<"$sources" >&2 ||
    die "mmdebstrap failed; its messages are above"

  find "$output/cache" -name 'base-*.tar' -delete
  mv "$base_tar.partial" "$base_tar"
}

# --- stage 2: from a bootstrap to a server that somebody uses: dress.sh -----------------------------
make_tar() {
  tar --create --file "$output/debian-12.tar.partial" --directory "$1" --sort=name --numeric-owner \
    --mtime="@$SOURCE_DATE_EPOCH" --clamp-mtime --format=posix \
    --pax-option='exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime' .
  mv "$output/debian-12.tar.partial" "$output/debian-12.tar"
  (cd "$output" && sha256sum debian-12.tar >debian-12.tar.sha256)
}

# Container root is host user N and so on. chown clears setuid bits and file capabilities: the mode
# is put back. Each inode once, though it may have several names.
shift_owners() {
  perl -MPOSIX=lchown -MFile::Find -e '
    my ($root, $base) = @ARGV;
    my %done;
    find({ no_chdir => 1, wanted => sub {
      my ($dev, $ino, $mode, $links, $uid, $gid) = lstat($_) or die "$_: $!\n";
      return if $links > 1 && !-d _ && $done{$ino}++;
      die "$_: owner $uid:$gid is outside the map\n" if $uid > 65535 || $gid > 65535;
      lchown($uid + $base, $gid + $base, $_) or die "chown $_: $!\n";
      chmod($mode & 07777, $_) or die "chmod $_: $!\n" unless -l $_;
    } }, $root);' "$1" "$base"
}

main() {
  local stamp work began=$SECONDS
  bootstrap
  stamp=$({ printf '%s\n' "$base" "$rootfs" "$base_tar"; cd "$here"
            find . "$programs/init" "$programs/login" -type f -print0 | sort -z | xargs -0 sha256sum; } | sha256sum)
  if [ $force = no ] && [ "$(cat "$output/stamp" 2>/dev/null)" = "$stamp" ] &&
     [ -s "$output/debian-12.tar" ] && { [ $rootfs = no ] || [ -e "$output/debian-12/userns-base" ]; }; then
    say "unchanged: $output/debian-12.tar"
    return
  fi
  rm -f "$output/stamp"
  work=$output/work
  rm -rf "$work" && mkdir -p "$work/rootfs"
  say "unpacking and dressing"
  # Extended attributes stay behind on purpose: with its file capability, ping's exec fails where
  # the bounding set lacks NET_RAW; without it ping uses unprivileged ICMP sockets.
  tar --extract --file "$base_tar" --directory "$work/rootfs" --numeric-owner --preserve-permissions \
    --exclude='./dev/*'
  "$here"/dress.sh "$work/rootfs" "$programs" "$here/files"
  say "packing debian-12.tar"
  make_tar "$work/rootfs"
  if [ $rootfs = yes ]; then
    say "shifting owners by $base for the embedded engine"
    shift_owners "$work/rootfs" "$base"
    echo "$base" >"$work/userns-base"
    chmod 0755 "$work"
    # Sandboxes that still run on the tree before keep it until the next build.
    rm -rf "$output/debian-12.previous"
    [ -e "$output/debian-12" ] && mv "$output/debian-12" "$output/debian-12.previous"
    mv "$work" "$output/debian-12"
  else
    rm -rf "$work"
  fi
  printf '%s\n' "$stamp" >"$output/stamp"
  say "ready: $output/debian-12.tar ($(du -m "$output/debian-12.tar" | cut -f1) MB) in $((SECONDS - began)) s"
}

main
