"""Commands without a terminal: statuses, streams, bulk, many channels, rekeying."""
import hashlib
import os
import subprocess
import tempfile
import time

import pytest

SOURCE = "127.0.2.1"

# New keys are the gate's affair alone.
REKEYED_TOO = [pytest.param((), id="plain"), pytest.param(("-o", "RekeyLimit=1M"), id="rekey", marks=pytest.mark.once)]


def test_exit_status(pot):
    assert pot.ssh("exit 7", source=SOURCE).returncode == 7
    assert pot.ssh("true", source=SOURCE).returncode == 0


def test_killed_by_a_signal_looks_as_with_sshd(pot):
    # The client prints nothing of its own at LogLevel ERROR and returns 255 for exit-signal.
    assert pot.ssh("kill -TERM $$", source=SOURCE).returncode == 255
    exited = pot.wait_event("channel.exited", where=lambda e: e.get("signal"))
    assert exited["signal"] == "TERM"


def test_stdout_and_stderr_stay_apart(pot):
    done = pot.ssh("echo out; echo err >&2", source=SOURCE)
    assert done.stdout == b"out\n"
    assert done.stderr == b"err\n"


def test_empty_stdin_ends_cat(pot):
    assert pot.ssh("cat", source=SOURCE).stdout == b""


def test_stdin_is_binary_safe(pot):
    blob = bytes(range(256)) * 64
    done = subprocess.run(pot.ssh_command("cat", source=SOURCE), input=blob, capture_output=True, timeout=30)
    assert done.stdout == blob


def test_environment_is_a_real_servers(pot):
    done = pot.ssh("env", source=SOURCE)
    names = {line.split("=")[0] for line in done.stdout.decode().splitlines()}
    assert {"HOME", "LOGNAME", "PATH", "SHELL", "USER", "SSH_CLIENT", "SSH_CONNECTION"} <= names
    assert not [n for n in names if "SANDTRAP" in n.upper() or "DOCKER" in n.upper() or "container" in n]


@pytest.mark.parametrize("options", REKEYED_TOO)
def test_200_megabytes_up(pot, options):
    size = 200 << 20
    with tempfile.NamedTemporaryFile() as blob:
        digest = hashlib.sha256()
        for _ in range(size >> 20):
            block = os.urandom(1 << 20)
            digest.update(block)
            blob.write(block)
        blob.flush()
        with open(blob.name, "rb") as stdin:
            done = pot.ssh("sha256sum", source=SOURCE, stdin=stdin, options=options, timeout=280)
    assert done.stdout.split()[0].decode() == digest.hexdigest()


@pytest.mark.parametrize("options", REKEYED_TOO)
def test_200_megabytes_down(pot, options):
    command = "head -c 200M /dev/urandom | tee /dev/stderr | sha256sum >/tmp/sum"
    process = subprocess.Popen(pot.ssh_command(command, source=SOURCE, options=options), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    digest, total = hashlib.sha256(), 0
    while block := process.stderr.read(1 << 20):
        digest.update(block)
        total += len(block)
    assert process.wait(280) == 0
    assert total == 200 << 20
    assert pot.ssh("cat /tmp/sum", source=SOURCE).stdout.split()[0].decode() == digest.hexdigest()


def test_ten_sessions_over_one_connection(pot):
    with tempfile.TemporaryDirectory() as folder:
        master = ("-o", "ControlMaster=auto", "-o", f"ControlPath={folder}/m", "-o", "ControlPersist=yes")
        assert pot.ssh("true", source=SOURCE, options=master).returncode == 0
        running = [subprocess.Popen(pot.ssh_command(f"sleep 1; echo {i}", source=SOURCE, options=master),
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) for i in range(10)]
        assert [p.communicate(timeout=30)[0] for p in running] == [b"%d\n" % i for i in range(10)]
        pot.ssh(source=SOURCE, options=(*master, "-O", "exit"))


def test_no_command_holds_the_connection(pot):
    process = subprocess.Popen(pot.ssh_command("-N", source=SOURCE), stdin=subprocess.DEVNULL)
    time.sleep(2)  # the point of the test: it stays
    assert process.poll() is None
    process.terminate()
    process.wait(10)


def test_a_missing_command_answers_as_bash_does(pot):
    done = pot.ssh("/no/such/program", source=SOURCE)
    assert done.returncode == 127
    assert b"bash: line 1: /no/such/program: No such file or directory" in done.stderr
    assert b"runc" not in done.stderr and b"OCI" not in done.stderr


def test_background_work_goes_on_and_the_next_connection_sees_it(pot):
    assert pot.ssh("nohup sh -c 'sleep 1; echo done >/tmp/bg' >/dev/null 2>&1 &", source=SOURCE).returncode == 0
    done = pot.ssh("sleep 2; cat /tmp/bg", source=SOURCE)
    assert done.stdout == b"done\n"
