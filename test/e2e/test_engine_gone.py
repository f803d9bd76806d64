"""The engine goes away for a while: the honeypot keeps talking SSH and recovers without a restart."""
import os
import pathlib
import shutil
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


def outlives(pot, take_away, bring_back, network):
    pot.start()
    try:
        assert answers(pot, f"127.0.{network}.1")
        take_away()
        # The warm one may still serve; once it is used up, a believable refusal.
        refused = sum(not answers(pot, f"127.0.{network}.{i}") for i in range(2, 5))
        assert refused >= 1
        hp.wait_until(lambda: any(e["failing"] for e in pot.events("pool.status")), 60, "the failure in pool.status")
        began = {role: pid for role, pid in pot.role_pids().items()}
        bring_back()
        hp.wait_until(lambda: not pot.events("pool.status")[-1]["failing"], 90, "starts that work again")
        hp.wait_until(lambda: answers(pot, f"127.0.{network}.{int(time.monotonic()) % 200 + 20}"), 60, "a machine again")
        assert pot.role_pids() == began, "no role was restarted"
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
    pot = quick(hp.Honeypot("oci", size=1, extra=f"oci:\n  runtime: {wrapper}\n"))
    outlives(pot, lambda: (tmp_path / "gone").touch(), lambda: (tmp_path / "gone").unlink(missing_ok=True), 12)


@pytest.mark.skipif(not shutil.which("dockerd"), reason="dockerd is not installed")
def test_a_docker_engine_that_is_stopped_and_started(monkeypatch):
    folder = pathlib.Path(f"/tmp/st-de-{os.getpid()}")
    started = subprocess.run([TOOL, "start", folder], capture_output=True, text=True, timeout=120)
    if started.returncode == 77:
        pytest.skip(started.stderr.strip())
    assert started.returncode == 0, started.stderr
    monkeypatch.setattr(hp, "DOCKER_SOCKET", started.stdout.strip())
    try:
        outlives(quick(hp.Honeypot("docker", size=1)),
                 lambda: subprocess.run([TOOL, "stop", folder], check=True, capture_output=True, timeout=120),
                 lambda: subprocess.run([TOOL, "start", folder], check=True, capture_output=True, timeout=120), 13)
    finally:
        subprocess.run([TOOL, "stop", folder], capture_output=True, timeout=120)
        shutil.rmtree(folder, ignore_errors=True)
