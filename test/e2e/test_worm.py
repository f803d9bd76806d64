"""The machine's own accounts decide: what the dominant worm does and then checks, and what a hostile
root may do to the agent that starts the programs."""
import contextlib
import subprocess
import time

import paramiko
import pytest

from honeypot import wait_until


def run(pot, command, source, password="letmein", user="root", **kwargs):
    return pot.ssh(command, source=source, password=password, user=user, **kwargs)


def output(pot, command, source, **kwargs):
    done = run(pot, command, source, **kwargs)
    assert done.returncode == 0, done
    return done.stdout.decode()


def refused(pot, source, password, user="root"):
    done = run(pot, "true", source, password=password, user=user)
    return done.returncode == 255 and b"Permission denied" in done.stderr


def decided_by(pot, source):
    return [(e["event"], e["decided_by"]) for e in pot.events()
            if e["event"] in ("login.failed", "login.succeeded") and e["source_ip"] == source and e["method"] != "none"]


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


def with_key(pot, key, command, source, user="root"):
    return subprocess.run(
        ["ssh", "-v", "-F", "none", "-i", str(key), "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no",
         "-o", "UserKnownHostsFile=/dev/null", "-o", "PreferredAuthentications=publickey", "-o", f"BindAddress={source}",
         "-p", str(pot.port), f"{user}@127.0.0.1", command],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=30, text=True)


def test_scripted_worm(pot, key):
    source = "127.0.4.1"
    public = key.with_suffix(".pub").read_text().strip()
    output(pot, "chattr -ia .ssh 2>/dev/null; rm -rf .ssh && mkdir .ssh && chmod 700 .ssh && "
           f"echo '{public}' >> .ssh/authorized_keys && chmod 600 .ssh/authorized_keys; "
           "echo 'root:Kx7newPASS' | chpasswd && echo loot > /var/tmp/loot; "
           "nohup sh -c 'while :; do echo tick >> /var/tmp/ticks; sleep 0.05; done' >/dev/null 2>&1 &", source)
    assert refused(pot, source, "letmein")
    assert refused(pot, source, "345gs5662d34")
    ticks = int(output(pot, "cat /var/tmp/loot >&2; wc -l < /var/tmp/ticks", source, password="Kx7newPASS"))
    done = with_key(pot, key, "cat /var/tmp/loot; wc -l < /var/tmp/ticks", source)
    assert done.returncode == 0, done
    loot, later = done.stdout.split()
    assert loot == "loot" and int(later) > ticks
    assert "key options: agent-forwarding port-forwarding pty user-rc x11-forwarding" in done.stderr
    assert decided_by(pot, source) == [
        ("login.succeeded", "credentials"), ("login.failed", "account"), ("login.failed", "account"),
        ("login.succeeded", "account"), ("login.succeeded", "authorized_keys")]


def test_a_key_that_nobody_planted_is_refused(pot, key):
    source = "127.0.4.2"
    output(pot, "true", source)
    assert with_key(pot, key, "true", source).returncode == 255


def test_keys_as_sshd_reads_them(pot, key):
    source = "127.0.4.3"
    public = key.with_suffix(".pub").read_text().strip()
    base = "mkdir -p .ssh; chmod 700 .ssh . ; "

    def accepted(line, after="chmod 600 .ssh/authorized_keys"):
        output(pot, base + f"cat > .ssh/authorized_keys <<'E'\n{line}\nE\n{after}", source)
        return with_key(pot, key, "true", source).returncode == 0

    assert accepted(f"# comment\n\nno-port-forwarding,no-agent-forwarding {public} me@here")
    assert accepted(f'from="127.*,!127.0.0.9" {public}')
    assert not accepted(f'from="10.*" {public}')
    assert not accepted(f'expiry-time="20200101" {public}')
    assert accepted(f'expiry-time="20990101" {public}')
    assert not accepted(f"cert-authority {public}")
    assert not accepted(f"# {public}")
    assert not accepted(public, after="chmod 666 .ssh/authorized_keys")
    assert not accepted(public, after="chmod 600 .ssh/authorized_keys; chmod 777 .ssh")
    assert accepted(public)


def test_users_made_inside(pot):
    source = "127.0.4.4"
    output(pot, "useradd -m bob -s /bin/bash; echo bob:hunter22 | chpasswd; useradd -m carol", source)
    assert output(pot, "id -un; pwd", source, user="bob", password="hunter22") == "bob\n/home/bob\n"
    assert refused(pot, source, "wrong", user="bob")
    assert refused(pot, source, "letmein", user="carol")  # made without a password
    output(pot, "usermod -L bob", source)
    assert refused(pot, source, "hunter22", user="bob")
    output(pot, "usermod -U bob; usermod -e 1 bob", source)
    assert refused(pot, source, "hunter22", user="bob")
    output(pot, "usermod -e '' bob; usermod -s /nonexistent bob", source)
    assert refused(pot, source, "hunter22", user="bob")
    output(pot, "userdel -r bob", source)
    assert refused(pot, source, "hunter22", user="bob")


def test_the_first_password_is_the_accounts(pot):
    source = "127.0.4.5"
    entry = output(pot, "getent shadow root", source).split(":")
    assert entry[1].startswith("$y$j9T$")
    again = output(pot, "getent shadow root", source).split(":")
    assert again == entry
    assert output(pot, "id -un", source, user="admin") == "admin\n"
    assert output(pot, "su nobody -s /bin/sh -c 'id -u'", source) == "65534\n"


def test_pkill_sshd_ends_sessions_but_not_the_case(pot):
    source = "127.0.4.6"
    began = time.monotonic()
    for options, newline in ((("-tt",), b"\r\n"), (("-T",), b"\n")):
        ended = run(pot, "echo before; sleep 0.5; pkill -9 sshd; sleep 20; echo after", source, options=options)
        assert ended.stdout == b"before" + newline and time.monotonic() - began < 15
        # The connection itself ends, without a word: with sshd it was that process's.
        assert ended.returncode == 255 and b"closed by remote host" in ended.stderr, ended
    assert output(pot, "pgrep -c sshd", source).strip() >= "1"


def test_a_stopped_agent_is_left_aside(pot):
    source, other = "127.0.4.7", "127.0.4.8"
    output(pot, "pkill -STOP -o sshd; true", source)
    assert output(pot, "echo by the engine", source) == "by the engine\n"
    assert output(pot, "echo still", source) == "still\n"
    assert refused(pot, source, "wrong")
    assert output(pot, "echo other", other) == "other\n"
    # When it goes on it starts nothing of what it slept through.
    output(pot, "pkill -CONT -o sshd; true", source)
    assert output(pot, "echo works", source) == "works\n"


def test_a_hostile_agent_harms_its_own_case_only(pot):
    source, other = "127.0.4.9", "127.0.4.10"
    # The agent is restarted from this very file: now it is the attacker's. It floods whoever asks.
    script = ("#!/usr/bin/python3\n"
              "import array, os, socket, sys\n"
              "agent = socket.socket(fileno=0)\n"
              "while True:\n"
              "    data, extra, flags, address = agent.recvmsg(200000, 1000)\n"
              "    if not data: break\n"
              "    fds = array.array('i'); [fds.frombytes(e[2]) for e in extra]\n"
              "    control = socket.socket(fileno=fds[0])\n"
              "    control.send(b'S')\n"
              "    r, w = os.pipe()\n"
              "    for i in range(20000):\n"
              "        try:\n"
              "            control.sendmsg([b'\\xff' * 100], [(1, 1, array.array('i', [r]))], 0x40)\n"
              "            agent.send(b'flood' * 100, 0x40)\n"
              "        except OSError: pass\n"
              "    open('/var/tmp/hostile', 'a').write('ran\\n')\n")
    prepare = (f"cat > /var/tmp/agent.py <<'E'\n{script}\nE\nchmod 755 /var/tmp/agent.py; "
               "mv -f /var/tmp/agent.py /usr/lib/openssh/sshd-session; "
               "pkill -9 -o sshd; sleep 0.3; echo replaced")
    assert "replaced" in output(pot, prepare, source)
    for _ in range(3):
        # It may say that a program runs and never let go of its pipes: its own client waits.
        with contextlib.suppress(subprocess.TimeoutExpired):
            run(pot, "true", source, timeout=5)
        assert output(pot, "echo fine", other) == "fine\n"
    transport = paramiko.Transport(("127.0.0.1", pot.port))
    transport.connect(username="root", password="letmein")
    assert transport.is_authenticated()
    transport.close()
    wait_until(lambda: pot.role_pids().keys() >= {"gate", "warden", "scribe"}, 5, "all roles alive")


def test_su_passwd_and_sudo_work_for_a_plain_user(pot):
    source = "127.0.4.11"
    assert output(pot, "grep NoNewPrivs /proc/self/status", source) == "NoNewPrivs:\t0\n"
    output(pot, "useradd -m -s /bin/bash bob; echo bob:hunter22 | chpasswd; echo 'bob ALL=(ALL) NOPASSWD: ALL' >> /etc/sudoers", source)
    bob = dict(user="bob", password="hunter22")
    assert output(pot, "echo letmein | su -c 'id -u'", source, **bob) == "0\n"
    assert output(pot, "sudo -n id -u", source, **bob) == "0\n"
    output(pot, "printf 'hunter22\\nN3w-Passw0rd\\nN3w-Passw0rd\\n' | passwd", source, **bob)
    assert refused(pot, source, "hunter22", user="bob")
    assert output(pot, "id -un", source, user="bob", password="N3w-Passw0rd") == "bob\n"


def test_the_process_tree_is_a_servers(pot):
    source = "127.0.4.12"
    tree = output(pot, "ps -eo user,args --forest; true", source, options=("-tt",), user="admin")
    titles = [line.split(None, 1)[1].lstrip(" \\_") for line in tree.replace("\r", "").splitlines()[1:]]
    assert titles[0] == "/sbin/init"
    assert titles[1].startswith("sshd: /usr/sbin/sshd -D [listener]"), tree
    assert titles[2] == "sshd: admin [priv]" and titles[3] == "sshd: admin@pts/0", tree
    assert titles[4].startswith("bash -c"), tree
