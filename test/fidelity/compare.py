#!/usr/bin/python3
"""Compares SandTrap with a real sshd on this machine: every probe to both, answers must be equal.

Usage: compare.py [--only SUBSTRING] [--part plain|session|distributions|grace|scanners|vectors]…
The real daemon runs twice; where the two differ from each other, either answer is right.
What is compared, and what is masked and why: docs/fidelity.md.
"""
import argparse
import collections
import concurrent.futures
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

import daemons
import distributions
import forward_probes
import grid
import normal
import plain_probes
import scanners
import session_probes
import vectors
import wire

PARTS = ("vectors", "plain", "session", "distributions", "grace", "scanners")
# What the issue asks for at least; fewer means that probes were lost.
LEAST = {"plain": 300, "session": 150}


def run_plain(port, steps):
    connection = wire.Wire(port, idle=0.35)
    connection.collect(2, until=lambda w: b"\n" in w.received)
    for step in steps:
        if step == "EOF":
            connection.half_close()
        elif isinstance(step, float):
            connection.collect(step)
        else:
            connection.send(step)
    connection.collect()
    connection.close()
    return connection


def plain_answer(port, steps):
    connection = run_plain(port, steps)
    return normal.plain(connection.received) + [connection.end]


def session_answer(port, probe, key):
    client = wire.Client(port, idle=0.3)
    client.packets.clear()
    try:
        probe(client, key)
    except EOFError:
        pass
    answer = normal.session(client.packets, client.free) + [client.wire.end]
    client.close()
    return answer


class Verdict:
    def __init__(self, name, real, ours, broken):
        self.name, self.real, self.ours, self.broken = name, real, ours, broken
        self.same = ours in real  # `real` holds no answer that is none

    def show(self):
        print(f"--- {self.name}")
        for answer, times in [*self.real.items(), *self.broken.items()]:
            for line in answer:
                print(f"  sshd     {line[:400]}" + (f"  (x{times})" if line == answer[-1] else ""))
        for line in self.ours:
            print(f"  sandtrap {line[:400]}")


def asked(run, port):
    """The answer and whether it is one: a probe that breaks has none, and equals nothing."""
    try:
        return tuple(run(port)), True
    except Exception as error:  # whatever it is: the other probes go on
        return (f"no answer: {type(error).__name__}: {error}",), False


def judge(name, run, ports, rounds=3):
    """Equal where SandTrap's answer is one that the real daemons give; they are asked up to six times."""
    real, ours, broken = collections.Counter(), ("not asked",), collections.Counter()
    for _ in range(rounds):
        for port in ports[:2]:
            answer, valid = asked(run, port)
            (real if valid else broken)[answer] += 1
        ours, valid = asked(run, ports[2])
        if valid and ours in real:
            break
    return Verdict(name, real, ours, broken)


def check_vectors(ports):
    for name, steps, expected, end in vectors.VECTORS:
        for who, port in (("sshd", ports[0]), ("SandTrap", ports[2])):
            connection = run_plain(port, steps)
            wrong = vectors.wrong(connection.received, connection.end, expected, end)
            yield f"vector {name}: {who}" + (f": {wrong}" if wrong else ""), not wrong


class Run:
    def __init__(self, engine):
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="sandtrap-fidelity-"))
        self.base.chmod(0o755)
        user = self.base / "user"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", user], check=True)
        self.key = wire.load_key(user)
        self.daemons = [daemons.Sshd(self.base / name, user) for name in "ab"]
        # One takes every key, as the daemons take that of the sessions; one takes none, as they take no other.
        self.pots = {keys: daemons.pot(engine, keys) for keys in ("accept", "refuse")}
        self.ports = {keys: [d.port for d in self.daemons] + [pot.port] for keys, pot in self.pots.items()}
        self.failures = 0

    def stop(self):
        for pot in self.pots.values():
            pot.stop(signal.SIGTERM)
        for daemon in self.daemons:
            daemon.stop()
        for pot in self.pots.values():
            pot.remove()
        shutil.rmtree(self.base, ignore_errors=True)

    def probes(self, part, only, jobs):
        if part == "plain":
            work = [(name, lambda port, s=steps: plain_answer(port, s)) for name, steps in [*plain_probes.all_probes(), *grid.probes()]]
        else:
            work = [(name, lambda port, p=probe: session_answer(port, p, self.key))
                    for name, probe in [*session_probes.all_probes(), *forward_probes.all_probes()]]
        work = [(name, run) for name, run in work if only in name]
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            verdicts = list(pool.map(lambda item: judge(*item, self.ports["refuse" if " query" in item[0] else "accept"]), work))
        for verdict in verdicts:
            if not verdict.same:
                verdict.show()
        bad = sum(not v.same for v in verdicts)
        text = f"{part}: {len(verdicts)} probes, {bad} differences"
        varying = sum(len(v.real) > 1 for v in verdicts)
        if varying:
            text += f" ({varying} on which the real daemons differ from themselves)"
        on_grid = [max((grid.cosine(v.ours, real) for real in v.real), default=0.0) if not v.same else 1.0 for v in verdicts if v.name.startswith("grid")]
        if on_grid:
            text += f"; grid of {len(on_grid)}: lowest cosine similarity {min(on_grid):.3f}"
        broken = sum(bool(v.broken) for v in verdicts)
        if broken:
            text += f"; {broken} that a real daemon once left without an answer"
        enough = bool(only) or len(verdicts) >= LEAST[part]
        print(text + ("" if enough else f": at least {LEAST[part]} were expected"), flush=True)
        self.failures += bad + (not enough)

    def checks(self, part, results):
        total = bad = 0
        for text, good in results:
            total += 1
            bad += not good
            if not good or part != "vectors":
                print(f"{'ok' if good else 'DIFFERENT'}  {text}", flush=True)
        print(f"{part}: {total} comparisons, {bad} differences", flush=True)
        self.failures += bad

    def part(self, part, only, jobs):
        began = time.monotonic()
        try:
            self.compare(part, only, jobs)
        except Exception:  # a broken test is a failure of the run, not the end of its report
            traceback.print_exc()
            self.failures += 1
        print(f"{part}: {time.monotonic() - began:.0f} s", flush=True)

    def compare(self, part, only, jobs):
        ports = self.ports["accept"]
        if part in LEAST:
            self.probes(part, only, jobs)
        elif part == "vectors":
            self.checks(part, check_vectors(ports))
        elif part == "grace":
            self.checks(part, distributions.grace(ports))
        elif part == "scanners":
            self.checks(part, scanners.differences(ports))
        else:
            for test in (distributions.base_delays(self.ports["refuse"]), distributions.endings(ports, self.key),
                         distributions.success(ports, self.key), distributions.ephemeral_ports(ports, self.key)):
                self.checks(part, test)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="probes whose name holds this")
    parser.add_argument("--part", action="append", choices=PARTS)
    parser.add_argument("--engine", default="oci")
    parser.add_argument("--jobs", type=int, default=12)
    args = parser.parse_args()
    parts = args.part or (["plain", "session"] if args.only else list(PARTS))
    began = time.monotonic()
    run = Run(args.engine)
    try:
        with concurrent.futures.ThreadPoolExecutor(1) as beside:
            # Two minutes of waiting: beside everything else.
            waiting = beside.submit(run.part, "grace", "", 0) if "grace" in parts else None
            for part in parts:
                if part != "grace":
                    run.part(part, args.only, args.jobs)
            if waiting:
                waiting.result()
    finally:
        run.stop()
    print(f"{run.failures} differences, {time.monotonic() - began:.0f} s")
    return 1 if run.failures else 0


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    sys.exit(main())
