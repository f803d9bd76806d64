#!/usr/bin/env bash
# Builds SandTrap's own image and the guest's, for docker-compose.yml.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'USAGE'
usage: scripts/build_images.sh [--guest NAME] [--offline] [--tag NAME] [--dry-run]
  --guest NAME  the machine that attackers get: ubuntu-22.04 (the default) or debian-12
  --offline     no registry: base images are made with mmdebstrap from this machine's APT sources, and the
                programs are those that tools/build makes here. The guest is then debian-12, as there is no
                Ubuntu archive to build from
  --tag NAME    the image's name (default: sandtrap:latest)
  --dry-run     print the commands
Needs a Docker Engine (DOCKER_HOST names another one than the default); --offline also root. Writes the choice
of the guest into .env, where docker-compose finds it. A second call builds only what has changed.
USAGE
}

offline=no guest='' tag=sandtrap:latest run=()
while [ $# -gt 0 ]; do
  case $1 in
    --offline) offline=yes; shift ;;
    --guest) guest=${2:?--guest needs a name}; shift 2 ;;
    --tag) tag=${2:?--tag needs a name}; shift 2 ;;
    --dry-run) run=(echo +); shift ;;
    -h | --help) usage; exit 0 ;;
    *) echo "build_images.sh: unknown argument $1" >&2; usage >&2; exit 2 ;;
  esac
done
[ -n "$guest" ] || { [ $offline = yes ] && guest=debian-12 || guest=ubuntu-22.04; }
case $offline:$guest in
  *:debian-12 | no:ubuntu-22.04) ;;
  yes:ubuntu-22.04) echo "build_images.sh: --offline makes debian-12 guests only" >&2; exit 2 ;;
  *) echo "build_images.sh: --guest: ubuntu-22.04 or debian-12" >&2; exit 2 ;;
esac
do_it() { "${run[@]}" "$@"; }
step() { echo "build_images: $*" >&2; }

# The classic builder finds local base images without asking a registry, and needs no plugin.
build() { do_it env DOCKER_BUILDKIT=0 docker build --quiet "$@"; }

own=() target=()
programs=containers/programs
if [ $offline = yes ]; then
  step "programs and base images of this machine"
  do_it tools/build release
  do_it images/build.sh --output build/guest --guest-programs build/release/guest
  do_it rm -rf "$programs"
  do_it mkdir -p "$programs"
  trap '"${run[@]}" rm -rf "$programs"' EXIT
  do_it install -s -m 755 build/release/sandtrap "$programs/sandtrap"
  do_it install -m 755 build/release/guest/init build/release/guest/login "$programs/"
  # Its openssh-server has the groups for the key exchange, and the guest's packages are in it.
  bootstrap=$(ls build/guest/cache/base-*.tar 2>/dev/null || echo "build/guest/cache/base-KEY.tar")
  do_it tar --extract --file "$bootstrap" --directory "$programs" --strip-components=3 ./etc/ssh/moduli
  do_it images/base.sh --tag sandtrap-base:debian-12 --packages containers/runtime-packages.txt
  do_it docker import "$bootstrap" sandtrap-base:guest-debian-12
  own=(--build-arg BUILD_BASE=sandtrap-base:debian-12 --build-arg RUNTIME_BASE=sandtrap-base:debian-12)
  target=(--build-arg GUEST_BASE=sandtrap-base:guest-debian-12)
fi

version=$(sed -n 's/^project(sandtrap VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
step "$tag"
build --tag "$tag" --build-arg "VERSION=$version" "${own[@]}" .
step "sandtrap-guest:$guest"
build --tag "sandtrap-guest:$guest" --build-arg "SANDTRAP=$tag" "${target[@]}" \
  --file "containers/targets/${guest%-*}/Dockerfile" .

setting=SANDTRAP_CONFIG=./containers/config.$guest.yaml
if ! grep -qxF "$setting" .env 2>/dev/null; then
  step ".env: $setting"
  if [ ${#run[@]} -eq 0 ]; then
    { grep -v '^SANDTRAP_CONFIG=' .env 2>/dev/null || true; echo "$setting"; } >.env.new
    mv .env.new .env
  fi
fi
step "done; next: docker compose up -d"
