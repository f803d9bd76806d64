"""`sandtrap verify`: passes with what is shipped, fails on each weakness, and keeps the port shut."""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time

import pytest

from honeypot import BINARY, DOCKER_SOCKET, Honeypot, ROOT, leaks

WEAK_RUNTIME = ROOT / "test/e2e/weak_runtime.py"


def verify(folder, engine, *arguments, extra="", timeout=240):
    config = folder / "config.yaml"
    config.write_text(f"data_dir: {folder}/data\nrun_dir: {folder}/run\n"
                      f"container_pool: {{engine: {engine}}}\ndocker: {{socket: {DOCKER_SOCKET}}}\n{extra}")
    return subprocess.run([str(BINARY), "verify", "--config", str(config), *arguments],
                          capture_output=True, text=True, timeout=timeout)


def checks_of(done):
    return {row["check"]: row for row in json.loads(done.stdout)["checks"]}


def failed(done):
    return {name for name, row in checks_of(done).items() if row["verdict"] in ("fail", "not-run")}


def test_the_shipped_configuration_holds(engine, tmp_path):
    done = verify(tmp_path, engine, "--json")
    rows = checks_of(done)
    bad = {name: row for name, row in rows.items() if row["verdict"] not in ("pass", "known")}
    assert done.returncode == 0 and not bad, (bad, done.stderr)
    listed = subprocess.run([str(BINARY), "verify", "--list"], capture_output=True, text=True, check=True).stdout
    assert set(rows) == {line.split()[0] for line in listed.split("\n\n", maxsplit=1)[0].splitlines()}
    known = {name for name, row in rows.items() if row["verdict"] == "known"}
    # What Docker cannot do shows as what it is; the embedded engine has no excuse.
    assert known <= {"no-new-privileges", "setuid-program"} if engine == "oci" else {"user-map", "limit-disk"} & known, known
    assert list(tmp_path.glob("data/*")) == [] and list(tmp_path.glob("run/*")) == []


def test_the_table_and_the_quick_subset(engine, tmp_path):
    began = time.monotonic()
    done = verify(tmp_path, engine, "--quick")
    assert done.returncode == 0, done.stdout
    assert "CHECK" in done.stdout and "net-tcp4" in done.stdout and " passed" in done.stdout.splitlines()[-1]
    assert "limit-cpu" not in done.stdout
    assert time.monotonic() - began < 60


SETTINGS = {
    "SYS_ADMIN": ("container: {capabilities: [CHOWN, SETUID, SETGID, DAC_OVERRIDE, SYS_ADMIN]}", "capability-bounding"),
    "NET_RAW": ("container: {capabilities: [CHOWN, SETUID, SETGID, DAC_OVERRIDE, NET_RAW]}", "capability-effective"),
    "MKNOD": ("container: {capabilities: [CHOWN, SETUID, SETGID, DAC_OVERRIDE, MKNOD]}", "capability-permitted"),
    "processes without end": ("container: {pids: 1000000}", "limit-processes"),
    "memory without end": ("container: {memory_bytes: 1TiB}", "limit-memory"),
    "all processors": ("container: {cpus: 1024}", "limit-cpu"),
    "disk without end": ("container: {disk_bytes: 60TiB}", "limit-disk"),
}


@pytest.mark.parametrize("weakness", sorted(SETTINGS))
def test_a_weak_setting_is_found(weakness, tmp_path):
    extra, check = SETTINGS[weakness]
    quick = ["--quick"] if check.startswith("capability") else []
    done = verify(tmp_path, "oci", "--json", *quick, extra=extra + "\n")
    assert done.returncode == 1 and check in failed(done), (failed(done), done.stderr)


RUNTIMES = {
    "host-network": "own-network-namespace",
    "host-ipc": "own-ipc-namespace",
    "host-uts": "own-uts-namespace",
    "host-cgroups": "own-cgroup-namespace",
    "host-users": "user-map",
    "writable-kernel": "write-core-pattern",
    "unmasked": "info-block-devices",
    "no-filter": "seccomp",
    "host-folder": "host-mounts",
    "engine-socket": "engine-sockets",
    "device": "device-nodes",
    "no-process-limit": "limit-processes",
    "no-memory-limit": "limit-memory",
    "no-cpu-limit": "host-cpu-limit",
    "no-process-limits": "limit-descriptors",
    "kept-capabilities": "capability-inheritable",
    "new-privileges": "setuid-program",
    "more-capabilities": "capability-bounding",
}
NOT_CRITICAL = {"info-block-devices", "limit-memory", "host-cpu-limit", "setuid-program"}


def weak_runtime(folder, weakness):
    script = folder / "runc"
    script.write_text(f'#!/bin/sh\nexec {WEAK_RUNTIME} {weakness} {shutil.which("runc")} "$@"\n')
    script.chmod(0o755)
    return f"oci: {{runtime: {script}}}\n" + "container: {no_new_privileges: true}\n"


@pytest.mark.parametrize("weakness", sorted(RUNTIMES))
def test_a_weak_sandbox_is_found(weakness, tmp_path):
    check = RUNTIMES[weakness]
    quick = [] if check in NOT_CRITICAL else ["--quick"]
    done = verify(tmp_path, "oci", "--json", *quick, extra=weak_runtime(tmp_path, weakness))
    rows = checks_of(done)
    # The attack itself must have found it: no check counts here that could not be made.
    assert done.returncode == 1 and rows[check]["verdict"] == "fail", (rows[check], failed(done), done.stderr)


def test_a_failure_can_be_waived_by_name(tmp_path):
    extra = weak_runtime(tmp_path, "new-privileges")
    done = verify(tmp_path, "oci", "--json", "--waive", "no-new-privileges", "--waive", "setuid-program", extra=extra)
    rows = checks_of(done)
    assert done.returncode == 0 and rows["setuid-program"]["verdict"] == "waived", failed(done)


def test_what_cannot_be_made_counts_as_a_failure(tmp_path):
    done = verify(tmp_path, "oci", "--json", "--quick", extra="oci: {runtime: /bin/false}\n")
    assert done.returncode == 1
    assert {row["verdict"] for row in checks_of(done).values()} == {"not-run"}


def test_an_unknown_name_is_refused(tmp_path):
    done = verify(tmp_path, "oci", "--waive", "net-tcp5")
    assert done.returncode == 2 and "net-tcp5" in done.stderr and done.stdout == ""


def test_serve_keeps_the_port_shut_when_a_critical_check_fails(tmp_path):
    pot = Honeypot("oci", size=1, extra=weak_runtime(tmp_path, "no-filter"))
    process = subprocess.Popen([str(BINARY), "serve", "--config", str(pot.config)], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    answered = 0
    while process.poll() is None:
        with socket.socket() as probe:
            answered += probe.connect_ex(("127.0.0.1", pot.port)) == 0
        time.sleep(0.05)
    said = process.stderr.read()
    assert process.returncode == 1 and answered == 0, said
    assert "seccomp (FAIL)" in said and "verify_waive" in said and "sandtrap ready" not in said
    pot.process = process
    assert leaks(pot) == []
    pot.remove()


def test_serve_verifies_once_for_a_configuration(engine):
    pot = Honeypot(engine, size=1)
    pot.start()
    try:
        assert "a sandbox was attacked from inside and held" in pot.text()
        warden = pot.role_pids()["warden"]
        os.kill(warden, 9)
        began = time.monotonic()
        while pot.role_pids().get("warden", warden) == warden or "warden is back" not in pot.text():
            assert time.monotonic() - began < 30, pot.text()
            time.sleep(0.05)
        assert pot.text().count("attacked from inside") == 1
    finally:
        pot.stop()
        pot.remove()


def test_the_document_is_the_tables():
    printed = subprocess.run([str(BINARY), "verify", "--document"], capture_output=True, text=True, check=True).stdout
    assert printed == (ROOT / "docs/verify.md").read_text(encoding="utf-8")


def test_the_script_is_the_command(tmp_path):
    script = ROOT / "scripts/verify_security.sh"
    env = {**os.environ, "SANDTRAP": str(BINARY)}
    helped = subprocess.run([str(script), "--help"], capture_output=True, text=True, env=env, check=True).stdout
    assert "verify_security.sh" in helped
    done = subprocess.run([str(script), "--list"], capture_output=True, text=True, env=env, check=True).stdout
    assert "net-tcp4" in done and pathlib.Path(script).stat().st_mode & 0o111
    assert subprocess.run([str(script), "--waive", "x"], capture_output=True, env=env, check=False,
                          cwd=tmp_path).returncode == 2
