"""What bounds the evidence: rotation under load and kill -9, budgets, a nearly full disk, the rate of one source."""
import json
import os
import shutil
import signal
import socket
import subprocess

import pytest

from honeypot import BINARY, wait_until

pytestmark = pytest.mark.once  # the gate and the scribe


def whole_log(pot):
    """Every event: what was moved to logs/, in order, then events.jsonl; a file in both forms counts once."""
    logs = sorted((pot.data / "logs").glob("events-*"))
    names = {p.name for p in logs}
    paths = [p for p in logs if p.suffix == ".gz" or p.name + ".gz" not in names]
    out = b"".join(subprocess.run(["zcat", "-f", p], capture_output=True, check=True).stdout for p in paths)
    out += (pot.data / "events.jsonl").read_bytes()
    return [json.loads(line) for line in out.split(b"\n") if line.strip()]


def greet(pot, name, source="127.0.0.1"):
    with socket.create_connection(("127.0.0.1", pot.port), source_address=(source, 0)) as client:
        client.settimeout(20)
        first = client.recv(100)
        if first.startswith(b"SSH-"):
            client.sendall(b"SSH-2.0-" + name + b"\r\n")
        return first


def test_rotation_loses_and_doubles_nothing_while_the_scribe_is_killed(fresh):
    pot = fresh(size=0, extra="logging:\n  rotate_bytes: 64KiB\n")
    sent, killed = 0, 0
    for round_number in range(4):
        for _ in range(150):
            greet(pot, b"client-%d" % sent)
            sent += 1
        if round_number < 3:
            scribe = wait_until(lambda: pot.role_pids().get("scribe"), 20, "a scribe")
            os.kill(scribe, signal.SIGKILL)
            killed += 1
            wait_until(lambda old=scribe: pot.role_pids().get("scribe", old) != old, 20, "another scribe")

    def seen():
        return [e["version"] for e in whole_log(pot) if e["event"] == "client.version"]
    wait_until(lambda: len(seen()) >= sent, 30, "all of them in the log")
    wait_until(lambda: len(list((pot.data / "logs").glob("*.gz"))) >= 2
               and not list((pot.data / "logs").glob("*.jsonl")), 40, "everything that was moved compressed")
    versions = seen()
    assert sorted(versions) == sorted(f"SSH-2.0-client-{i}" for i in range(sent))
    listed = subprocess.run([BINARY, "sessions", "--all", "--json", "--config", pot.config], capture_output=True, timeout=60)
    assert listed.returncode == 0, listed.stderr
    clients = [s["client"] for s in json.loads(listed.stdout)]
    assert sorted(clients) == sorted(versions)
    assert not list((pot.data / "logs").glob(".*"))


def test_kill_9_in_the_middle_of_compressing_loses_nothing(fresh):
    pot = fresh(size=0)
    logs = pot.data / "logs"
    name = "events-20261101T000000.000000Z.jsonl"
    plain, packed, unfinished = logs / name, logs / (name + ".gz"), logs / f".{name}.gz.new"
    number = 120_000  # what cannot be compressed in a moment
    with (pot.base / name).open("w") as out:
        for i in range(number):
            out.write('{"time":"2026-11-01T00:00:00.000000Z","event":"client.version","version":"%s-%d"}\n'
                      % (os.urandom(120).hex(), i))
    shutil.copystat(pot.data / "events.jsonl", pot.base / name)
    os.chown(pot.base / name, *(getattr((pot.data / "events.jsonl").stat(), key) for key in ("st_uid", "st_gid")))
    original = (pot.base / name).read_bytes()
    (pot.base / name).rename(plain)  # as if it had just been moved there
    killed, half = None, -1
    for _ in range(2):
        scribe = wait_until(lambda: pot.role_pids().get("scribe", killed) != killed and pot.role_pids()["scribe"],
                            20, "a scribe")
        wait_until(lambda: unfinished.exists() and unfinished.stat().st_mtime_ns != half
                   and unfinished.stat().st_size > 1 << 20, 30, "a file half compressed")
        os.kill(scribe, signal.SIGKILL)
        wait_until(lambda: pot.role_pids().get("scribe") != scribe, 20, "its end")
        killed, half = scribe, unfinished.stat().st_mtime_ns
        assert plain.exists() and not packed.exists(), "killed too late: it had been whole"
    wait_until(packed.exists, 60, "compressed in the end")
    wait_until(lambda: not plain.exists(), 20, "the plain one gone")
    assert not unfinished.exists()
    assert subprocess.run(["zcat", packed], capture_output=True, check=True).stdout == original
    assert len([e for e in whole_log(pot) if e.get("version", "").endswith("-7")]) == 1


def test_old_logs_and_recordings_make_room(fresh):
    pot = fresh(size=1, extra="logging:\n  rotate_bytes: 64KiB\n  compress: false\nrecording:\n  max_bytes: 1MiB\n"
                              "disk:\n  logs_bytes: 1MiB\n  recordings_bytes: 1MiB\n  min_free_bytes: 0\n")
    for i in range(4):
        done = pot.ssh("head -c 700000 /dev/zero | tr '\\0' x", source="127.0.62.1", timeout=60)
        assert len(done.stdout) == 700000, i
    for i in range(2500):
        greet(pot, b"x" * 200)
    pot_events = lambda name: [e for e in whole_log(pot) if e["event"] == name]
    removed = wait_until(lambda: pot_events("recording.removed"), 60, "a recording is removed")
    wait_until(lambda: sum(p.stat().st_size for p in pot.recordings()) <= 1 << 20, 60, "recordings within their budget")
    assert removed[0]["path"] not in [str(p.relative_to(pot.data)) for p in pot.recordings()]
    assert len(pot.recordings()) >= 1
    wait_until(lambda: pot_events("log.removed"), 60, "a log file is removed")
    wait_until(lambda: sum(p.stat().st_size for p in (pot.data / "logs").iterdir()) <= 1 << 20, 60, "the log within its budget")


def test_on_a_nearly_full_disk_logins_go_on_and_shells_do_not(fresh):
    pot = fresh(size=1, extra="disk:\n  min_free_bytes: 1024TiB\n")
    pot.wait_event("disk.low")
    refused = pot.ssh("id", source="127.0.62.2")
    assert refused.returncode == 255 and b"request failed" in refused.stderr + refused.stdout, refused
    pot.wait_event("login.succeeded", 10, lambda e: e["source_ip"] == "127.0.62.2")
    assert "disk.min_free_bytes" in pot.wait_event("channel.refused")["reason"]
    pot.config.write_text(pot.config.read_text().replace("1024TiB", "0"))
    pot.process.send_signal(signal.SIGHUP)
    pot.wait_event("disk.enough", 20)
    assert pot.ssh("id -u", source="127.0.62.2").stdout == b"0\n"


def test_a_source_that_connects_too_often_is_turned_away_and_others_are_not(fresh):
    pot = fresh(size=0)
    text = pot.config.read_text().replace("source_rate: 0", "source_rate: 60\n  source_burst: 5")
    pot.config.write_text(text)
    pot.process.send_signal(signal.SIGHUP)
    wait_until(lambda: any("gate applied" in line for line in pot.log), 10, "the gate has it")
    answers = [greet(pot, b"fast", "127.0.63.1") for _ in range(30)]
    assert [a.startswith(b"SSH-") for a in answers[:5]] == [True] * 5
    assert answers.count(b"Exceeded MaxStartups\r\n") >= 20
    assert greet(pot, b"other", "127.0.63.2").startswith(b"SSH-")
    first = pot.wait_event("connection.refused")
    assert (first["source_ip"], first["reason"], first["count"]) == ("127.0.63.1", "source_rate", 1)
    pot.wait_event("connection.refused", 20, lambda e: e["count"] >= 15)
    assert len(pot.events("connection.refused")) <= 3
