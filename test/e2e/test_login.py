"""A stranger logs in with an unmodified client and works in a terminal."""
import re

import pexpect

from honeypot import wait_until

PROMPT = r"root@[a-z0-9-]+:~# "


def terminal(pot, source, password="letmein", size=(24, 80), user="root"):
    child = pexpect.spawn("ssh", [*pot.ssh_options(source), "-p", str(pot.port), f"{user}@127.0.0.1"],
                          encoding="utf-8", timeout=20, dimensions=size, env={"TERM": "xterm-256color", "PATH": "/usr/bin:/bin"})
    child.expect("password: ")
    child.sendline(password)
    return child


def test_third_password_is_accepted_and_the_user_is_root(pot):
    source = "127.0.1.1"
    for _ in range(2):
        assert pot.ssh("id", "-u", source=source, password="guess-%d" % _).returncode == 255
    third = pot.ssh("id -u", source=source, password="anything")
    assert third.returncode == 0, third.stderr
    assert third.stdout == b"0\n"
    tries = [e for e in pot.events() if e["event"].startswith("login.") and e["source_ip"] == source
             and e.get("method") == "password"]
    assert [e["event"] for e in tries] == ["login.failed", "login.failed", "login.succeeded"]
    assert tries[2]["password"] == "anything"


def test_three_passwords_on_one_connection(pot):
    child = pexpect.spawn("ssh", [*pot.ssh_options("127.0.1.2", prompts=3), "-p", str(pot.port),
                                  "root@127.0.0.1", "id -u"], encoding="utf-8", timeout=20)
    for guess in ("a", "b", "c"):
        child.expect("password: ")
        child.sendline(guess)
    child.expect(r"\r\n0\r\n")
    child.expect(pexpect.EOF)


def test_terminal_work(pot):
    child = terminal(pot, "127.0.1.3")
    child.expect(PROMPT)
    # Line editing: type a wrong letter, go back, correct it.
    child.send("echo heXlo\x1b[D\x1b[D\x7fl\r")
    child.expect("hello\r\n")
    child.expect(PROMPT)
    child.sendline("stty size; tty; echo $TERM")
    child.expect(r"24 80\r\n/dev/pts/\d+\r\nxterm-256color\r\n")
    child.expect(PROMPT)
    child.setwinsize(43, 132)
    wait_until(lambda: resized(child), 5, "new size seen inside")
    # Colours
    child.sendline("ls --color=always -d /tmp")
    child.expect(re.escape("\x1b[") + r".*tmp")
    child.expect(PROMPT)
    # Ctrl-C
    child.sendline("sh -c 'echo running; exec sleep 100'")
    child.expect("running\r\n")
    child.sendcontrol("c")
    child.expect(PROMPT)
    # Ctrl-Z and fg
    child.sendline("sh -c 'echo running; exec sleep 2'")
    child.expect("running\r\n")
    child.sendcontrol("z")
    child.expect("Stopped")
    child.expect(PROMPT)
    child.sendline("fg")
    child.expect(PROMPT)
    # Tab completion
    child.send("cat /etc/hostn\t\r")
    child.expect(r"/etc/hostname")
    child.expect(PROMPT)
    child.sendline("exit")
    child.expect("logout\r\n")
    child.expect(pexpect.EOF)


def resized(child):
    child.sendline("stty size")
    found = child.expect([r"43 132\r\n", r"24 80\r\n"])
    child.expect(PROMPT)
    return found == 0


def test_full_screen_programs(pot):
    child = terminal(pot, "127.0.1.4")
    child.expect(PROMPT)
    child.sendline("top")
    child.expect("load average")
    child.send("q")
    child.expect(PROMPT)
    child.sendline("vi /tmp/note")
    child.expect("~")
    child.send("iwritten in vi\x1b:wq\r")
    child.expect(PROMPT)
    child.sendline("cat /tmp/note")
    child.expect("written in vi\r\n")
    child.sendline("exit")
    child.expect(pexpect.EOF)


def test_a_login_that_never_opens_a_channel_costs_no_sandbox(pot):
    before = len(pot.events("sandbox.claimed"))
    holder = pexpect.spawn("ssh", [*pot.ssh_options("127.0.1.5"), "-N", "-p", str(pot.port), "root@127.0.0.1"],
                           encoding="utf-8", timeout=20)
    holder.expect("password: ")
    holder.sendline("letmein")
    pot.wait_event("login.succeeded", where=lambda e: e["source_ip"] == "127.0.1.5")
    assert holder.isalive()
    holder.close(force=True)
    pot.wait_event("connection.closed", where=lambda e: e["source_ip"] == "127.0.1.5")
    assert len([e for e in pot.events("sandbox.claimed") if e["source_ip"] == "127.0.1.5"]) == 0
    assert len(pot.events("sandbox.claimed")) >= before


def test_another_user_lands_in_its_own_account(pot):
    done = pot.ssh("id -un; echo $HOME; pwd; test $(id -u) -ge 1000 && echo plain", source="127.0.1.6", user="admin")
    assert done.stdout == b"admin\n/home/admin\n/home/admin\nplain\n", done
