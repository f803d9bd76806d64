"""A person at a terminal, as far as every client can have one: types, corrects, interrupts, leaves."""
import re

import pexpect

PROMPT = "interop> "


def talk(side, argv, password=None, resize=True):
    child = pexpect.spawn(str(argv[0]), [str(word) for word in argv[1:]], timeout=20, dimensions=(24, 80), cwd=side.scratch,
                          env={**side.environment(), "TERM": "xterm"}, encoding="utf-8")
    if password:
        child.expect("assword:")
        child.sendline(password)
    child.expect([r"[#$] $", r"[#$] \x1b\[\?2004h"])
    screen = []

    def say(text, until=PROMPT):
        child.send(text)
        child.expect_exact(until)
        screen.append(child.before + until)

    # Prompt, locale and paste mode are the shell's settings, not the server's doing.
    child.send("export LC_ALL=C; bind 'set enable-bracketed-paste off'; PS1='interop''> '\r")
    child.expect_exact(PROMPT)
    say("tty >/dev/null && echo a terminal; stty size\r")
    say("echo edXited\x1b[D\x1b[D\x1b[D\x1b[D\x7f\r")
    say("sh -c 'echo running; exec sleep 100'\r", "running\r\n")
    say("\x03")
    if resize:
        child.setwinsize(50, 132)
        for _ in range(100):  # the new size travels beside the typed bytes
            child.send("stty size\r")
            child.expect_exact(PROMPT)
            if "50 132" in child.before:
                break
        else:
            screen.append("never resized")
    child.send("exit 3\r")
    child.expect(pexpect.EOF)
    screen.append(side.mask(child.before))
    # A client may let go of its terminal before it ends (dbclient does at the channel's EOF): a close now would be its SIGHUP.
    child.wait()
    child.close()
    return {"exit": child.exitstatus, "screen": re.sub(r"\x1b\]0;.*?\x07", "", "".join(screen))}
