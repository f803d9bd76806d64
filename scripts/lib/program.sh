# To be sourced by the scripts above: sets `program` to the sandtrap that they run. SANDTRAP names
# it; without it, the one that `make` built here, else the installed one.
# shellcheck shell=sh

program=${SANDTRAP:-}
if [ -z "$program" ]; then
  program=$(cd "$(dirname "$0")/.." && pwd)/build/release/sandtrap
  [ -x "$program" ] || program=$(command -v sandtrap) || {
    echo "$(basename "$0" .sh): no sandtrap program; build it (make), install it, or set SANDTRAP" >&2
    exit 1
  }
fi
