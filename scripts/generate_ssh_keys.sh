#!/bin/sh
# Makes the honeypot's host keys, with `sandtrap keygen`. Keys that exist are kept, since an attacker
# who comes back must meet the same ones; a second call changes nothing.
#
#   scripts/generate_ssh_keys.sh [--config FILE | --dir DIR] [--force] [--dry-run]
#   scripts/generate_ssh_keys.sh --help
#
#   --config FILE  into the folder that this configuration names (default: /etc/sandtrap/config.yaml)
#   --dir DIR      into this folder
#   --force        replace keys that exist: the old ones are gone
#   --dry-run      only say what would be done
# SANDTRAP names the program; without it, the one that `make` built, else the installed one.
# Exit status: 0 the keys are there, 1 failure, 2 wrong command line.
set -eu

force=no dry=no dir='' config=''
while [ $# -gt 0 ]; do
  case $1 in
  --force) force=yes; shift ;;
  --dry-run) dry=yes; shift ;;
  --dir | --config)
    [ $# -ge 2 ] || { echo "generate_ssh_keys: $1 needs a value" >&2; exit 2; }
    if [ "$1" = --dir ]; then dir=$2; else config=$2; fi
    shift 2
    ;;
  -h | --help)
    sed -n '2,14s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
  *)
    echo "generate_ssh_keys: unknown argument $1 (try --help)" >&2
    exit 2
    ;;
  esac
done
if [ -n "$dir" ] && [ -n "$config" ]; then
  echo "generate_ssh_keys: --dir or --config, not both" >&2
  exit 2
fi

program=$("$(dirname "$0")/lib/find_program.sh")
set -- keygen
[ -z "$dir" ] || set -- "$@" --dir "$dir"
[ -z "$config" ] || set -- "$@" --config "$config"
[ $force = no ] || set -- "$@" --force

if [ $dry = yes ]; then
  echo "would run: $program $*"
  [ $force = no ] && echo "(keys that exist are kept)" || echo "(keys that exist are REPLACED)"
  exit 0
fi
status=0
said=$("$program" "$@" 2>&1) || status=$?
case $status:$said in
0:*) printf '%s\n' "$said" ;;
1:*" exists; nothing was changed"*) echo "the keys exist already; kept" ;;
*)
  printf '%s\n' "$said" >&2
  exit "$status"
  ;;
esac
