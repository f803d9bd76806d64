"""The engine goes away for a while: the honeypot keeps talking SSH and recovers without a restart."""
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

import honeypot as hp

TOOL = hp.ROOT / "tools/docker-engine.sh"


def failing_runtime(folder):
    """The real runtime, which refuses to create anything while the file `gone` is there."""
    real = shutil.which("runc") or shutil.which("crun")
    wrapper = folder / "runtime"
    wrapper.write_text(f"""#!/bin/sh
case " $* " in *" create "* | *" run "*) [ -e {folder}/gone ] && {{ echo "out of order" >&2; exit 1; }} ;; esac
exec {real} "$@"
""")
    wrapper.chmod(0o755)
    return wrapper


def answers(pot, source):
    """The key exchange and the login work; whether a command ran."""
    done = pot.ssh("echo here", source=source, timeout=60)
    events = [e["event"] for e in pot.events() if e.get("source_ip") == source]
    assert "login.succeeded" in events, done.stderr
    return done.stdout == b"here\n"


def visit(pot, command, source, password):
    done = pot.ssh(command, source=source, password=password, timeout=60)
    return done.stdout.decode() if done.returncode == 0 else None


def outlives(pot, take_away, bring_back, network):
    """A case with its own password and files, one that comes meanwhile, and a warden that is killed meanwhile."""
    pot.start()
    owner = f"127.0.{network}.1"
    try:
        for password, wanted in (("wrong1", None), ("wrong2", None), ("Own!secret", "mine\n")):
            assert visit(pot, "echo mine > /root/left; cat /root/left", owner, password) == wanted
        case, sandbox = pot.events("login.succeeded")[-1]["case"], pot.events("sandbox.claimed")[-1]["sandbox"]
        pot.wait_event("sandbox.released", 10)
        take_away()
        # The warm one may still serve; once it is used up, a believable refusal.
        refused = sum(not answers(pot, f"127.0.{network}.{i}") for i in range(2, 5))
        assert refused >= 1
        hp.wait_until(lambda: any(e["failing"] for e in pot.events("pool.status")), 60, "the failure in pool.status")
        before = pot.role_pids()
        os.kill(before["warden"], signal.SIGKILL)
        hp.wait_until(lambda: pot.role_pids().get("warden") not in (None, before["warden"]), 20, "another warden")
        assert pot.ssh("true", source=f"127.0.{network}.9", password="no-such", timeout=60).returncode == 255
        answers(pot, f"127.0.{network}.10")
        during = pot.role_pids()
        bring_back()
        hp.wait_until(lambda: answers(pot, f"127.0.{network}.{int(time.monotonic()) % 200 + 20}"), 90, "a machine again")
        assert pot.role_pids() == during, "no role ended for want of an engine"
        # His password, his machine, his file.
        assert visit(pot, "true", owner, "not-his") is None
        hp.wait_until(lambda: visit(pot, "cat /root/left", owner, "Own!secret") == "mine\n", 60, "his file")
        assert pot.events("login.succeeded")[-1]["case"] == case
        assert pot.events("sandbox.claimed")[-1]["sandbox"] == sandbox
        assert not pot.events("sandbox.not_restored")
    finally:
        bring_back()
        pot.stop()
        pot.remove()


def quick(pot):
    text = pot.config.read_text()
    pot.config.write_text(text.replace("  size: ", "  claim_timeout: 3s\n  status_interval: 1s\n  size: ", 1))
    return pot


def test_a_runtime_that_fails_for_a_while(tmp_path):
    wrapper = failing_runtime(tmp_path)
    pot = quick(hp.Honeypot("oci", size=1, linger="300s", keep="1h", extra=f"oci:\n  runtime: {wrapper}\n"))
    outlives(pot, lambda: (tmp_path / "gone").touch(), lambda: (tmp_path / "gone").unlink(missing_ok=True), 12)


@pytest.fixture
def own_docker(monkeypatch):
    """An engine of this test's own, to be stopped and started."""
    if not shutil.which("dockerd"):
        pytest.skip("dockerd is not installed")
    folder = pathlib.Path(f"/tmp/st-de-{os.getpid()}")

    def turn(verb):
        done = subprocess.run([TOOL, verb, folder], capture_output=True, text=True, timeout=120)
        if done.returncode == 77:
            pytest.skip(done.stderr.strip())
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    monkeypatch.setattr(hp, "DOCKER_SOCKET", turn("start"))
    yield turn
    subprocess.run([TOOL, "stop", folder], capture_output=True, timeout=120)
    shutil.rmtree(folder, ignore_errors=True)


def test_a_docker_engine_that_is_stopped_and_started(own_docker):
    outlives(quick(hp.Honeypot("docker", size=1, linger="300s", keep="1h")),
             lambda: own_docker("stop"), lambda: own_docker("start"), 13)


@pytest.mark.parametrize("all_die", [False, True], ids=["engine", "everything"])
def test_a_frozen_machine_outlives_a_restart_of_docker(own_docker, all_die):
    pot = quick(hp.Honeypot("docker", size=1, linger="1s", keep="1h")).start()
    owner, other = "127.0.14.1", "127.0.14.2"
    try:
        for source in (owner, other):
            wanted = f"{source}\n"
            assert visit(pot, f"echo {source} > /root/left; cat /root/left", source, "letmein") == wanted
        hp.wait_until(lambda: len(pot.events("sandbox.frozen")) == 2, 30, "both are frozen")
        boxes = {e["source_ip"]: e["sandbox"] for e in pot.events("sandbox.claimed")}
        own_docker("stop")
        if all_die:
            pot.kill_all()
            pot.process.wait(10)
        own_docker("start")
        if all_die:
            pot.start()
        for source in (owner, other):
            hp.wait_until(lambda: visit(pot, "cat /root/left", source, "letmein") == f"{source}\n", 60, "his file")
        # Nobody was given another's machine, or a new one.
        assert {e["source_ip"]: e["sandbox"] for e in pot.events("sandbox.claimed")} == boxes
        assert not pot.events("sandbox.not_restored")
        assert {e["sandbox"] for e in pot.events("sandbox.restored")} == set(boxes.values())
    finally:
        own_docker("start")
        pot.stop()
        pot.remove()
