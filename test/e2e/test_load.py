"""Fifty at once on a pool of five: served or refused believably, none hangs, none shares."""
import subprocess
import time


def test_fifty_simultaneous_logins(fresh):
    pot = fresh(size=5, max_total=60)
    began = time.monotonic()
    running = []
    for i in range(50):
        running.append(subprocess.Popen(
            pot.ssh_command("cat /proc/sys/kernel/random/uuid > /tmp/mine; sleep 1; cat /tmp/mine; ls /tmp", source=f"127.0.5.{i + 1}"),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
    answers, refused = [], 0
    for process in running:
        out, err = process.communicate(timeout=120)
        if process.returncode == 0:
            lines = out.split()
            assert lines[1:] == [b"mine"], out
            answers.append(lines[0])
        else:
            refused += 1
            assert b"runc" not in err and b"docker" not in err and b"sandtrap" not in err, err
    assert len(set(answers)) == len(answers)
    claimed = [e["sandbox"] for e in pot.events("sandbox.claimed")]
    assert len(set(claimed)) == len(claimed)
    assert len(answers) >= 40, f"{refused} refused in {time.monotonic() - began:.1f} s"


def test_parallel_connections_of_one_source_share_their_machine(fresh):
    pot = fresh(size=2)
    assert pot.ssh("echo here > /tmp/shared", source="127.0.6.1").returncode == 0
    assert pot.ssh("cat /tmp/shared", source="127.0.6.1").stdout == b"here\n"
    assert pot.ssh("cat /tmp/shared", source="127.0.6.2").returncode != 0
