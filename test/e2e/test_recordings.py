"""Afterwards the operator has the recordings, the events and the preserved machine."""
import hashlib
import json
import subprocess

import pexpect

from honeypot import wait_until


def replay(cast):
    """asciinema wants a terminal of its own."""
    player = pexpect.spawn("asciinema", ["cat", str(cast)], encoding="utf-8", timeout=30)
    shown = player.read()
    player.close()
    assert player.exitstatus == 0, shown
    return shown


def test_every_recording_replays_and_every_event_parses(fresh, engine):
    pot = fresh(size=2, linger="1s")
    pot.ssh("echo shown; echo hidden >&2", source="127.0.8.1")
    blob = bytes(range(256)) * 1000
    subprocess.run(pot.ssh_command("cat > /tmp/blob; cat /tmp/blob", source="127.0.8.1"), input=blob, capture_output=True, timeout=30)
    child = pexpect.spawn("ssh", ["-tt", *pot.ssh_options("127.0.8.1"), "-p", str(pot.port), "root@127.0.0.1"], encoding="utf-8", timeout=20)
    child.expect("password: ")
    child.sendline("letmein")
    child.expect("# ")
    child.sendline("echo grüße; exit")
    child.expect(pexpect.EOF)

    finished = wait_until(lambda: len(pot.events("recording.finished")) >= 3 and pot.events("recording.finished"), 15, "recordings finished")
    replays = []
    for event in finished:
        cast = pot.data / event["path"]
        assert event["complete"] is True
        assert cast.stat().st_size == event["size"]
        assert hashlib.sha256(cast.read_bytes()).hexdigest() == event["sha256"]
        header = json.loads(cast.read_bytes().split(b"\n", 1)[0])
        assert header["version"] == 2
        replays.append(replay(cast))
    text = "".join(replays)
    assert "shown\n" in text and "grüße" in text

    binary = [e for e in finished if e.get("sidecar_path")]
    assert binary and any(blob in (pot.data / e["sidecar_path"]).read_bytes() for e in binary)

    preserved = pot.wait_event("sandbox.preserved", seconds=30)
    assert preserved["sessions"] and preserved["recordings"]
    for name in preserved["recordings"]:
        assert (pot.data / name).exists()
    label = wait_until(lambda: list((pot.data / "preserved").glob("*/sandbox.json")), 10, "label")[0]
    label = json.loads(label.read_text())
    sessions = {e["session"] for e in pot.events("connection.opened")}
    assert set(label["sessions"]) <= sessions
    for event in pot.events():
        assert event["time"].endswith("Z") and event["sensor"]
