"""Rows of bench/run about what becomes of a case's sandbox: freeze, thaw, restore, memory.

Times are the warden's own, from its events (freeze_us, thaw_us, restore_us); `ssh true` is a whole visit of a case that
returns, client included. Memory is what its control group counts, and what the machine has less for each sandbox, shims
and kernel included.
"""
import pathlib
import statistics
import subprocess
import time

import honeypot as hp


def figures(values):
    values = sorted(values)
    p99 = values[min(len(values) - 1, int(len(values) * 0.99))]
    return f"median {statistics.median(values):.1f} ms, p99 {p99:.1f} ms, n={len(values)}"


def visit(pot, source="127.0.0.1"):
    began = time.monotonic()
    done = pot.ssh("true", source=source, timeout=60)
    assert done.returncode == 0, done.stderr
    return (time.monotonic() - began) * 1000


def returns(pot, rounds, event):
    """One case that returns each time that `event` has put its sandbox away."""
    visit(pot)
    times = []
    for number in range(1, rounds + 1):
        hp.wait_until(lambda: len(pot.events(event)) >= number, 60, event)
        times.append(visit(pot))
    return times


def milliseconds(pot, event, field):
    return [e[field] / 1000 for e in pot.events(event)]


def times_of(engine, rounds):
    pot = hp.Honeypot(engine, size=1, linger="0s", keep="1h").start()
    try:
        visits = returns(pot, rounds, "sandbox.frozen")
        rows = [(f"{engine}: freeze", figures(milliseconds(pot, "sandbox.frozen", "freeze_us")), "-"),
                (f"{engine}: thaw", figures(milliseconds(pot, "sandbox.thawed", "thaw_us")), "-"),
                (f"{engine}: `ssh true`, thawed on the way", figures(visits), "-")]
    finally:
        pot.stop()
        pot.remove()
    pot = hp.Honeypot(engine, size=1, linger="0s", keep="0s").start()
    try:
        visits = returns(pot, max(rounds // 2, 5), "sandbox.preserved")
        rows += [(f"{engine}: restore", figures(milliseconds(pot, "sandbox.restored", "restore_us")), "-"),
                 (f"{engine}: `ssh true`, restored on the way", figures(visits), "-")]
    finally:
        pot.stop()
        pot.remove()
    return rows


def available():
    """Bytes that the machine could still give away, once it has come to rest."""
    time.sleep(2)
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no MemAvailable")


def memory_of(engine, count):
    pot = hp.Honeypot(engine, size=0, max_total=count + 4, linger="1h", keep="2h",
                      extra_cases=f"  max_running: {count + 2}\n  max_frozen: {count + 2}\n",
                      extra="preservation:\n  enabled: false\n").start()
    try:
        visit(pot, "127.0.11.250")  # what the first one costs is everybody's
        before = available()
        for n in range(count):
            visit(pot, f"127.0.11.{n + 1}")
        hp.wait_until(lambda: len(pot.events("sandbox.released")) > count, 30, "all have left")
        running = available()
        for event in pot.events("sandbox.released")[1:]:
            subprocess.run([str(hp.BINARY), "case", "--config", str(pot.config), "freeze", event["case"]], check=True)
        frozen = available()
        group = statistics.median(e["memory"] for e in pot.events("sandbox.frozen")) / 2**20
        return [(f"{engine}: memory of a sandbox by its control group, running or frozen", f"{group:.1f} MiB", "-"),
                (f"{engine}: the machine's memory for a running one, of {count}",
                 f"{(before - running) / count / 2**20:.1f} MiB", "-"),
                (f"{engine}: for a frozen one", f"{(before - frozen) / count / 2**20:.1f} MiB", "-")]
    finally:
        pot.stop()
        pot.remove()
