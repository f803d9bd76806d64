#!/bin/sh
# Prints the sandtrap that the scripts beside this folder run: SANDTRAP names it; without it, the one
# that `make` built here, else the installed one. Exit status 1 when there is none.
set -eu

program=${SANDTRAP:-}
if [ -z "$program" ]; then
  program=$(cd "$(dirname "$0")/../.." && pwd)/build/release/sandtrap
  [ -x "$program" ] || program=$(command -v sandtrap) || {
    echo "no sandtrap program; build it (make), install it, or set SANDTRAP" >&2
    exit 1
  }
fi
printf '%s\n' "$program"
