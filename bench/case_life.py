"""Rows of bench/run about what becomes of a case's sandbox: freeze, thaw, restore, memory.

Times are the warden's own, from its events (freeze_us, thaw_us, restore_us); `ssh true` is a whole visit of a case that
returns, client included. Memory is what its control group counts, and the private pages of the engine's shims.
"""
import http.client
import json
import os
import pathlib
import socket
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


def containers(engine, sandboxes):
    """Each sandbox's name among the control groups: its own, or its container's."""
    if engine == "oci":
        return sandboxes
    connection = http.client.HTTPConnection("docker")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(hp.DOCKER_SOCKET)
    connection.request("GET", "/containers/json")
    found = json.loads(connection.getresponse().read())
    connection.close()
    return [one["Id"] for one in found if set(one["Labels"].values()) & set(sandboxes)]


def charged(names):
    """Bytes that the control groups of these names hold, kernel memory included."""
    found = {}
    for folder, _, files in os.walk("/sys/fs/cgroup"):
        name = pathlib.Path(folder).name
        for file in {"memory.usage_in_bytes", "memory.current"} & set(files):
            if name in names:
                found[name] = int((pathlib.Path(folder) / file).read_text())
    assert len(found) == len(names), (found, names)
    return list(found.values())


def shims(names):
    """Private bytes of what the engine runs outside for each sandbox."""
    total = 0
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if not any(name in (process / "cmdline").read_text() for name in names):
                continue
            for line in (process / "smaps_rollup").read_text().splitlines():
                if line.startswith("Private_"):
                    total += int(line.split()[1]) * 1024
        except OSError:
            continue
    return total / len(names)


def memory_of(engine, count):
    pot = hp.Honeypot(engine, size=0, max_total=count + 4, linger="1h", keep="2h",
                      extra_cases=f"  max_running: {count + 2}\n  max_frozen: {count + 2}\n",
                      extra="preservation:\n  enabled: false\n").start()
    try:
        for n in range(count):
            visit(pot, f"127.0.11.{n + 1}")
        hp.wait_until(lambda: len(pot.events("sandbox.released")) == count, 30, "all have left")
        names = containers(engine, [e["sandbox"] for e in pot.events("sandbox.released")])
        running = charged(names)
        for event in pot.events("sandbox.released"):
            subprocess.run([str(hp.BINARY), "case", "--config", str(pot.config), "freeze", event["case"]], check=True)
        rows = [(f"{engine}: memory of a {how} sandbox, after one visit, n={count}",
                 f"median {statistics.median(values) / 2**20:.2f} MiB, most {max(values) / 2**20:.2f} MiB", "-")
                for how, values in (("running", running), ("frozen", charged(names)))]
        return rows + [(f"{engine}: what the engine runs outside for each", f"{shims(names) / 2**20:.1f} MiB", "-")]
    finally:
        pot.stop()
        pot.remove()
