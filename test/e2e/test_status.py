"""`sandtrap status`: how it is, from outside, and an exit status for a healthcheck."""
import json
import os
import signal
import socket
import subprocess

from honeypot import BINARY, wait_until


def status(pot, *words):
    done = subprocess.run([BINARY, "status", "--json", "--config", pot.config, *words], capture_output=True, timeout=30)
    return done.returncode, json.loads(done.stdout)


def test_status_follows_the_roles_and_its_exit_status_says_whether_all_is_well(fresh):
    pot = fresh(size=0)
    code, told = status(pot)
    assert code == 0 and told["healthy"] and told["roles"] == {"gate": True, "warden": True, "scribe": True}, told
    assert told["ports"] == {f"127.0.0.1:{pot.port}": True} and told["last_error"] is None
    assert told["disk"]["free"] > told["disk"]["least"] and told["logs"]["files"] == 1
    assert told["pool"]["engine"] == pot.engine and told["pool"]["failing"] is False, told
    assert told["cases"]["running"] == 0 and told["cases"]["max_running"] > 0, told
    opened = len(pot.events("connection.opened"))
    assert status(pot)[0] == 0 and len(pot.events("connection.opened")) == opened  # nobody is disturbed
    assert pot.ssh("true").returncode == 0
    wait_until(lambda: status(pot)[1]["cases"]["running"] == 1, 10, "a case has its sandbox")
    assert status(pot)[1]["cases"]["known"] == 1
    pot.process.send_signal(signal.SIGSTOP)  # so that nobody starts it again
    try:
        os.kill(pot.role_pids()["scribe"], signal.SIGKILL)
        wait_until(lambda: not status(pot)[1]["roles"]["scribe"], 10, "the scribe is missed")
        code, told = status(pot)
        assert code == 1 and not told["healthy"]
        assert status(pot, "--role", "gate")[0] == 0
        assert status(pot, "--role", "scribe")[0] == 1
        warden = pot.role_pids()["warden"]
        os.kill(warden, signal.SIGSTOP)
        try:
            code, told = status(pot, "--role", "warden")
            assert code == 1 and told["roles"] == {"warden": True} and told["pool"] is None, told
        finally:
            os.kill(warden, signal.SIGCONT)
    finally:
        pot.process.send_signal(signal.SIGCONT)
    wait_until(lambda: status(pot)[0] == 0, 20, "all is well again")
    assert pot.stop() == 0
    code, told = status(pot)
    assert code == 1 and not any(told["roles"].values()) and not any(told["ports"].values())


def test_a_broken_file_and_a_forgotten_socket_mislead_no_healthcheck(fresh):
    pot = fresh(size=0)
    run_dir = os.path.dirname(os.readlink(f"/proc/{pot.role_pids()['scribe']}/fd/5"))  # its lock
    # As a `sandtrap listen` that was killed leaves it; the gate's port is this network's.
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as forgotten:
        forgotten.bind(f"{run_dir}/ports.sock")
    code, told = status(pot, "--role", "gate")
    assert code == 0 and told["ports"] == {f"127.0.0.1:{pot.port}": True}, told
    pot.config.write_text(pot.config.read_text() + "\nnonsense: 1\n")
    for role in ("gate", "warden", "scribe"):
        ask = [BINARY, "status", "--role", role, "--config", pot.config]
        assert subprocess.run(ask, capture_output=True, timeout=30).returncode == 78
        brief = subprocess.run([*ask, "--brief"], capture_output=True, text=True, timeout=30)
        assert brief.returncode == 0 and brief.stdout.split() == [role, "running"], brief
        assert "nonsense" in brief.stderr and f"only the locks in {run_dir} were looked at" in brief.stderr, brief
    assert pot.stop() == 0
    assert status(pot, "--brief", "--role", "gate")[0] == 1
