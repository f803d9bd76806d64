"""Clients that mean harm: one of them must not cost the others anything, and what it sends is recorded, escaped."""
import ctypes
import json
import os
import socket
import subprocess
import time

import paramiko
import pytest

from honeypot import send_message, wait_until

REQUEST, GLOBAL = 98, 80


def client(pot, source):
    transport = paramiko.Transport(connect(pot, source))
    transport.start_client(timeout=20)
    transport.auth_password("root", "letmein")
    return transport


def connect(pot, source):
    return socket.create_connection(("127.0.0.1", pot.port), source_address=(source, 0))


def bystander(pot, source):
    process = subprocess.Popen(pot.ssh_command("while read l; do echo got $l; done", source=source),
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert answers(process)
    return process


def answers(process):
    process.stdin.write(b"line\n")
    process.stdin.flush()
    return process.stdout.readline() == b"got line\n"


def test_overlong_program_requests_cost_nobody_else_his_session(pot):
    other = bystander(pot, "127.0.21.1")

    def open_program(term, modes, environment, command):
        transport = client(pot, "127.0.21.2")
        channel = transport.open_session()
        for name, value in environment:
            send_message(transport, REQUEST, channel.remote_chanid, "env", False, name, value)
        send_message(transport, REQUEST, channel.remote_chanid, "pty-req", False, term, 80, 24, 0, 0, modes)
        send_message(transport, REQUEST, channel.remote_chanid, "exec", False, command)
        source = transport.sock.getsockname()[1]
        pot.wait_event("channel.exec", 10, lambda e: e.get("source_port") == source)
        assert answers(other)
        transport.close()

    open_program("x" * 2000, b"", [], "true")
    open_program("xterm", b"\x80\x00\x00\x00\x01" * 20000, [], "true")
    open_program("xterm", b"", [(f"LC_{i}" + "A" * 1000, "v" * 1024) for i in range(64)], "echo " + "x" * 131000)
    other.stdin.close()
    other.wait(20)
    assert not pot.events("ipc.denied")
    assert pot.ssh("echo still here", source="127.0.21.3").stdout == b"still here\n"


def test_a_flood_of_events_loses_none(pot):
    floods = [client(pot, f"127.0.22.{i + 1}") for i in range(8)]
    ports = {t.sock.getsockname()[1] for t in floods}
    before = len([e for e in pot.events("connection.global_request") if e["name"].startswith("\x02")])
    for _ in range(100):
        for transport in floods:
            send_message(transport, GLOBAL, b"\x02\n\xff\"" * 4000, False)
    wait_until(lambda: len([e for e in pot.events("connection.global_request") if e["source_port"] in ports
                            and e["name"].startswith("\x02")]) - before >= 800, 60, "all the requests as events")
    for transport in floods:
        transport.close()
    assert not [e for e in pot.events("error") if "lost" in json.dumps(e)]


def test_binary_names_and_commands_break_no_line(pot):
    transport = paramiko.Transport(connect(pot, "127.0.23.1"))
    transport.start_client(timeout=20)
    name = "\x1b[2J\r\n\u2028\x7f\""
    for _ in range(2):
        try:
            transport.auth_password(name, "p\n\x1b]0;x\x07\u202e")
        except paramiko.AuthenticationException:
            pass
    transport.close()
    transport = client(pot, "127.0.23.2")
    channel = transport.open_session()
    channel.exec_command(b"printf 'a\x1b]0;evil\x07\xff\xc3\x28'\n")
    assert channel.recv(100) == b"a\x1b]0;evil\x07\xff\xc3("
    transport.close()
    pot.wait_event("login.failed", 10, lambda e: e["user"] == name)
    for path in [pot.data / "events.jsonl", *pot.recordings()]:
        raw = path.read_bytes()
        assert not [byte for byte in raw if byte < 32 and byte != 10], path
        for line in raw.split(b"\n"):
            if line.strip():
                json.loads(line)
    assert not [line for line in pot.log if any(ord(c) < 32 or ord(c) == 127 for c in line)]


PIDFD_OPEN, PIDFD_GETFD = 434, 438  # the same on every architecture


def links_of(pid):
    """Duplicates of a gate's sockets to the other roles: what somebody has who took it over."""
    libc = ctypes.CDLL(None, use_errno=True)
    process = libc.syscall(PIDFD_OPEN, pid, 0)
    assert process >= 0
    links = []
    for name in sorted(os.listdir(f"/proc/{pid}/fd"), key=int):
        if not os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:"):
            continue
        copy = libc.syscall(PIDFD_GETFD, process, int(name), 0)
        if copy < 0:
            pytest.skip("this host does not let us into the gate")
        link = socket.socket(fileno=copy)
        if link.family == socket.AF_UNIX:
            links.append(link)
        else:
            link.close()
    os.close(process)
    return links


@pytest.mark.parametrize("link", range(3))  # to the supervisor, the warden, the scribe
def test_a_gate_that_breaks_the_rules_is_replaced(fresh, link):
    pot = fresh(size=1)
    before = pot.role_pids()
    links = links_of(before["gate"])
    assert len(links) == 3
    links[link].send(b"\xff")
    for one in links:
        one.close()
    wait_until(lambda: pot.role_pids().get("gate", before["gate"]) != before["gate"], 10, "another gate")
    assert pot.ssh("echo back", source="127.0.24.1").stdout == b"back\n"
    after = pot.role_pids()
    assert (after["warden"], after["scribe"]) == (before["warden"], before["scribe"])


def test_an_idle_honeypot_uses_no_processor_time(pot):
    def ticks():
        total = 0
        for pid in pot.role_pids().values():
            with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total

    def quiet_second():  # the sandboxes of the tests before may still be on their way out
        before = ticks()
        time.sleep(1)
        return ticks() - before <= 1
    wait_until(quiet_second, 30, "a second without work")
