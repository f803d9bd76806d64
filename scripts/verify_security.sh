#!/bin/sh
# Attacks the containment of this machine's honeypot: a thin cover of `sandtrap verify`.
#
#   scripts/verify_security.sh [--config FILE] [--quick] [--json] [--waive NAME]... [--list]
#   scripts/verify_security.sh --help
#
# Every argument goes to `sandtrap verify`; so does the exit status: 0 everything held, 1 a check
# failed or could not be made, 2 wrong command line. SANDTRAP names the program; without it, the one
# that `make` built, else the installed one. Needs root, except for --list and --help.
set -eu

case ${1:-} in
-h | --help)
  sed -n '2,9s/^# \{0,1\}//p' "$0"
  exit 0
  ;;
esac
program=$("$(dirname "$0")/lib/find_program.sh")
exec "$program" verify "$@"
