#!/usr/bin/python3
"""The interoperation matrix: every client against Debian's sshd and against SandTrap.

Usage: matrix.py [--only SUBSTRING] [--jobs N] [--write]
Prints what differs; with --write and no difference, writes docs/interoperability.md.
"""
import argparse
import concurrent.futures
import importlib
import os
import pathlib
import sys
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import rows  # noqa: E402
import servers  # noqa: E402
import table  # noqa: E402

GROUPS = ("openssh", "algorithms", "forwarding", "clients", "libraries", "python", "scanners")
for group_name in GROUPS:
    importlib.import_module(f"rows_{group_name}")


class Stage:
    """Both servers, started when a row first needs them."""

    def __init__(self, strict):
        self.material = servers.Material()
        self.sshd = servers.Sshd(self.material)
        self.pots = {}
        for name in sorted({"refuse" if is_strict else "accept" for is_strict in strict}):
            self.pots[name] = servers.SandTrap(self.material, name, denied=name == "accept")

    def run(self, row):
        number = rows.ROWS.index(row)
        # One attacker per client; the strict honeypot counts failures, so there one per row.
        source = f"127.0.9.{number % 200 + 1}" if row.strict else f"127.0.8.{GROUPS.index(row.group) + 1}"
        sides = [rows.Side(self.sshd, self.material, row, source),
                 rows.Side(self.pots["refuse" if row.strict else "accept"], self.material, row, source)]
        try:
            return rows.compare(row, sides)
        except Exception:  # a row that breaks is a red row
            return traceback.format_exc().splitlines()

    def stop(self):
        codes = [pot.stop() for pot in self.pots.values()]
        self.sshd.stop()
        self.material.remove()
        return codes


def run_all(chosen, jobs=4):
    """Row -> problems."""
    stage = Stage({row.strict for row in chosen})
    try:
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            return dict(zip([row.name for row in chosen], pool.map(stage.run, chosen)))
    finally:
        codes = stage.stop()
        assert not any(codes), codes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="rows whose group/client: feature contains this")
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    chosen = [row for row in rows.ROWS if args.only in f"{row.group}/{row.name}"]
    if not chosen:
        parser.error(f"no row is called {args.only!r}")
    if args.write and len(chosen) != len(rows.ROWS):
        parser.error("--write needs all rows")
    began = time.monotonic()
    outcomes = run_all(chosen, args.jobs)
    bad = {name: problems for name, problems in outcomes.items() if problems}
    for name, problems in bad.items():
        print("\n    ".join([f"--- {name}", *problems]))
    print(f"{len(chosen)} rows, {len(bad)} with differences, {time.monotonic() - began:.0f} s")
    if args.write and not bad:
        table.DOCUMENT.write_text(table.text(rows.ROWS))
        print(f"wrote {table.DOCUMENT}")
    return 1 if bad else 0


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    sys.exit(main())
