#!/bin/bash
# A base image for Docker where no registry can be reached: Debian 12 from this machine's own APT
# sources, imported under a name. What was made is kept as a tar and reused.
#
#   images/base.sh --tag NAME --packages FILE [--output DIR]
#
#   --tag NAME       the image's name
#   --packages FILE  packages beyond the essential ones, one a line
#   --output DIR     where tars are kept (default: build/base)
# Needs root, mmdebstrap, and an engine for `docker`.
set -euo pipefail
umask 022
export LC_ALL=C
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=images/apt.sh
. "$here/apt.sh"
tag='' list='' output=$here/../build/base
while [ $# -gt 0 ]; do
  case $1 in
    --tag) tag=${2:?--tag needs a name}; shift 2 ;;
    --packages) list=${2:?--packages needs a file}; shift 2 ;;
    --output) output=${2:?--output needs a folder}; shift 2 ;;
    -h | --help) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "base.sh: unknown argument $1" >&2; exit 64 ;;
  esac
done
[ -n "$tag" ] && [ -r "$list" ] || { echo "base.sh: --tag and --packages are needed" >&2; exit 64; }
[ "$(id -u)" = 0 ] || { echo "base.sh: needs root" >&2; exit 1; }

packages=$(sed -e 's/#.*//' -e '/^ *$/d' "$list" | sort | paste -sd, -)
sources=$(apt_sources)
key=$(printf '%s\n' "$packages" "$sources" | sha256sum | cut -c1-16)
tar=$output/debian-12-$key.tar
if [ ! -s "$tar" ]; then
  echo "base: Debian 12 with mmdebstrap; takes about a minute" >&2
  mkdir -p "$output"
  args=()
  while IFS= read -r line; do [ -n "$line" ] && args+=("--aptopt=$line"); done < <(apt_options)
  # Without apt: what runs from it is never changed. unsafe-io: a tar that is not whole has no name.
  mmdebstrap --mode=root --variant=essential --include="$packages" --format=tar \
    "${args[@]}" --aptopt='Apt::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
    --dpkgopt=force-unsafe-io \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    bookworm "$tar.partial" - <<<"$sources" >&2
  mv "$tar.partial" "$tar"
fi
docker import --change "LABEL sandtrap.base=$key" - "$tag" <"$tar" >/dev/null
echo "base: $tag" >&2
