"""kill -9 of each role under live sessions: back within two seconds, nothing torn, nothing lost."""
import json
import os
import signal
import subprocess
import time

import pytest

from honeypot import wait_until


def live_sessions(pot, count, first):
    sessions = []
    for i in range(count):
        process = subprocess.Popen(pot.ssh_command("while read l; do echo got $l; done", source=f"127.0.7.{first + i}"),
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        sessions.append(process)
    for process in sessions:
        process.stdin.write(b"before\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"got before\n"
    return sessions


def whole_lines(pot):
    lines = [line for line in (pot.data / "events.jsonl").read_bytes().split(b"\n") if line.strip()]
    return [json.loads(line) for line in lines]


def kill_and_log_in(pot, role):
    """Seconds from the death of a role to the first new login that works."""
    victim = pot.role_pids()[role]
    os.kill(victim, signal.SIGKILL)
    began = time.monotonic()
    wait_until(lambda: pot.ssh("echo back", source="127.0.7.100", timeout=10).stdout == b"back\n", 10, "service")
    seconds = time.monotonic() - began
    assert pot.role_pids()[role] != victim
    return seconds


@pytest.mark.parametrize("role", ["gate", "warden", "scribe"])
def test_kill(fresh, role):
    pot = fresh(size=2, max_total=20)
    sessions = live_sessions(pot, 10, 1)
    before = whole_lines(pot)
    seconds = [kill_and_log_in(pot, role)]
    if role != "gate":  # the gate's own death ends its sessions, no other does
        for process in sessions:
            process.stdin.write(b"after\n")
            process.stdin.flush()
            assert process.stdout.readline() == b"got after\n"
    for process in sessions:
        process.stdin.close()
        process.wait(20)
    after = whole_lines(pot)
    assert after[:len(before)] == before
    for cast in pot.recordings():
        lines = cast.read_bytes().split(b"\n")
        assert lines[-1] == b"", cast
        assert all(json.loads(line) for line in lines[:-1]), cast
    recorded = b"".join(cast.read_bytes() for cast in pot.recordings())
    assert recorded.count(b"got before") >= 10
    # A machine that is busy with something else may be late once, not every time.
    while min(seconds) >= 2 and len(seconds) < 3:
        seconds.append(kill_and_log_in(pot, role))
    assert min(seconds) < 2, f"{seconds} s until a new login worked"


def test_kill_of_everything_leaves_nothing_running_after_the_next_start(fresh):
    pot = fresh(size=2)
    sessions = live_sessions(pot, 2, 50)
    pot.kill_all()
    for process in sessions:
        process.wait(20)
        process.stdin.close()
    pot.start()
    assert pot.ssh("echo again", source="127.0.7.101").stdout == b"again\n"
    whole_lines(pot)
