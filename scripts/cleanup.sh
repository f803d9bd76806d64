#!/bin/sh
# Removes what is old or too much of what the honeypot keeps: a thin cover of `sandtrap cleanup`.
#
#   scripts/cleanup.sh [--config FILE] [--older-than AGE] [--keep-bytes SIZE] [--dry-run]
#   scripts/cleanup.sh --help
#
# Every argument goes to `sandtrap cleanup`, and so does the exit status; --dry-run only says what
# would go. A second call finds nothing to do. SANDTRAP names the program; without it, the one that
# `make` built, else the installed one. Needs root.
set -eu

case ${1:-} in
-h | --help)
  sed -n '2,9s/^# \{0,1\}//p' "$0"
  exit 0
  ;;
esac
program=$("$(dirname "$0")/lib/find_program.sh")
exec "$program" cleanup "$@"
