"""Whatever bytes an attacker sends, they stay data: in the log, in file names, in labels, in what the operator sees."""
import base64
import contextlib
import json
import os
import re
import socket
import subprocess

import paramiko
import pytest

from honeypot import BINARY, send_message

HOSTILE = [
    b"\x1b]0;evil\x07\x1b[2J", b"a\nb\r\n{\"event\":\"forged\"}", b"../../../../etc/cron.d/x", b"%s%n%x {} {0}", b"\xff\xfe\xc3\x28",
    b"\xc2\x9b6n\x9b31m", "\u202eexe.txt".encode(), b"$(touch /tmp/owned)`id`;|&", b"' OR 1=1 --", b"-oProxyCommand=x",
    b"/" * 300, b"x" * 1024,
]
LONG = b"L" * 65536
REQUEST = 98


def connect(pot, source):
    transport = paramiko.Transport(socket.create_connection(("127.0.0.1", pot.port), source_address=(source, 0)))
    transport.start_client(timeout=20)
    return transport


def exact(event, field):
    """The bytes that came: as docs/events.md says."""
    if field + "_base64" in event:
        return base64.b64decode(event[field + "_base64"])
    return event[field].encode()


@pytest.fixture(scope="module")
def attacked(pot):
    """All of it once, over as many connections as it takes."""
    names = [*HOSTILE, LONG]
    for i, name in enumerate(names):
        transport = connect(pot, f"127.0.61.{100 + i}")  # each one's first try: never let in
        with contextlib.suppress(paramiko.SSHException):
            transport.auth_password(name, f"wrong-{i}")
        transport.close()
        pot.wait_event("login.failed", 20, lambda e, i=i: e.get("password") == f"wrong-{i}")
    transport = connect(pot, "127.0.61.2")
    transport.auth_password("root", "letmein")
    for number, text in enumerate([*HOSTILE, LONG]):
        channel = transport.open_session()
        send_message(transport, REQUEST, channel.remote_chanid, "env", False, b"LC_" + text[:900], text[:900])
        send_message(transport, REQUEST, channel.remote_chanid, "env", False, b"LC_ALL", text[:900])
        send_message(transport, REQUEST, channel.remote_chanid, "pty-req", False, text[:200], 80, 24, 0, 0, b"")
        send_message(transport, REQUEST, channel.remote_chanid, "exec", True, b"printf %s; : " + text)
        send_message(transport, REQUEST, channel.remote_chanid, b"x-" + text[:900], False)
        pot.wait_event("channel.closed", 30, lambda e, n=number: e.get("source_ip") == "127.0.61.2"
                       and len([c for c in pot.events("channel.closed") if c.get("source_ip") == "127.0.61.2"]) > n)
    transport.close()
    pot.wait_event("recording.finished", 20, lambda e: e.get("source_ip") == "127.0.61.2")
    return pot


def test_names_and_commands_are_in_the_log_exactly(attacked):
    failed = [e for e in attacked.events("login.failed") if e["password"].startswith("wrong-")]
    users = [exact(e, "user") for e in failed]
    assert users[:len(HOSTILE)] == [name.split(b":")[0] for name in HOSTILE]  # a style follows, auth2.c
    assert users[-1] == LONG[:32768]
    assert failed[-1]["user_truncated"] and failed[-1]["user_length"] == len(LONG)
    commands = [exact(e, "command") for e in attacked.events("channel.exec") if e["source_ip"] == "127.0.61.2"]
    assert [c[13:] for c in commands[:len(HOSTILE)]] == HOSTILE
    assert not attacked.events("forged")
    assert not attacked.events("ipc.denied")


def test_no_file_holds_a_control_character(attacked):
    files = [attacked.data / "events.jsonl", *attacked.recordings(), *attacked.data.rglob("*.json")]
    for path in files:
        raw = path.read_bytes()
        assert not [byte for byte in raw if (byte < 32 and byte != 10) or byte == 127], path
        for line in raw.split(b"\n"):
            if line.strip():
                text = json.dumps(json.loads(line), ensure_ascii=False)
                assert "forged\"}" not in text.replace('\\"', "")[:30]
        assert not re.search(rb"\xc2[\x80-\x9f]", raw) or path.suffix == ".cast", path


def test_file_names_are_ours_alone(attacked):
    for path in attacked.data.rglob("*"):
        assert re.fullmatch(r"[A-Za-z0-9._-]+", path.name), path
    for path in attacked.recordings():
        assert re.fullmatch(r"\d{6}-[0-9.]+-[0-9a-f]{12}-\d+(-\d+)?\.cast", path.name), path
    assert not os.path.exists("/tmp/owned") and not os.path.exists("/etc/cron.d/x")


def test_what_the_operator_sees_is_printable(attacked):
    for line in attacked.log:
        assert not [c for c in line if ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u202e\ufffd"], line
    shown = subprocess.run([BINARY, "sessions", "--all", "--config", attacked.config], capture_output=True, timeout=60)
    assert shown.returncode == 0, shown.stderr
    assert b"127.0.61.100" in shown.stdout and b"\\x1b]0;evil" in shown.stdout
    assert not [byte for byte in shown.stdout if (byte < 32 and byte != 10) or byte >= 127]
    as_json = subprocess.run([BINARY, "sessions", "--all", "--json", "--config", attacked.config], capture_output=True, timeout=60)
    assert len(json.loads(as_json.stdout)) >= len(HOSTILE)
    assert not [byte for byte in as_json.stdout if (byte < 32 and byte != 10) or byte == 127]
    for path in attacked.recordings():
        played = subprocess.run([BINARY, "replay", "--cat", path], capture_output=True, timeout=60)
        assert played.returncode == 0, played.stderr
        assert b"\x1b]" not in played.stdout and b"\x07" not in played.stdout


def test_a_name_with_a_nul_ends_the_connection_as_sshd_does(attacked):
    transport = connect(attacked, "127.0.61.3")
    with contextlib.suppress(paramiko.SSHException):
        transport.auth_password(b"ro\0ot", "letmein")
    transport.close()
    closed = attacked.wait_event("connection.closed", 10, lambda e: e["source_ip"] == "127.0.61.3")
    assert closed["reason"] == "malformed authentication request"


def test_it_still_serves(attacked):
    result = attacked.ssh("echo still here", source="127.0.61.4")
    assert result.stdout == b"still here\n", (result, attacked.events()[-12:], attacked.text())
