"""SIGHUP with settings that change what a sandbox may do: they are tried on one first."""
import signal

from honeypot import wait_until


def logged(pot, text, seconds=60):
    wait_until(lambda: any(text in line for line in pot.log), seconds, f"{text!r} in the operator's log")


def test_settings_that_do_not_hold_never_come_into_use(fresh):
    pot = fresh(size=1, extra="container:\n  pids: 100\n")
    good = pot.config.read_text()
    pot.config.write_text(good.replace("pids: 100", "pids: 100\n  capabilities: [CHOWN, SETUID, SETGID, DAC_OVERRIDE, SYS_ADMIN, "
                                       "SYS_MODULE, SYS_PTRACE, NET_ADMIN, MKNOD]"))
    pot.process.send_signal(signal.SIGHUP)
    logged(pot, "a sandbox of the new settings does not hold")
    assert not any("applied" in line for line in pot.log), pot.text()
    # The old ones are in use: a machine that is made now has the old capabilities, and login goes on.
    mask = pot.ssh("grep CapBnd /proc/self/status", source="127.0.64.1").stdout.split()[1]
    assert int(mask, 16) & 1 << 21 == 0  # SYS_ADMIN
    pot.config.write_text(good.replace("pids: 100", "pids: 90"))
    pot.process.send_signal(signal.SIGHUP)
    logged(pot, "warden applied")
    assert not list(pot.data.glob("verify-*"))
    assert pot.ssh("echo back", source="127.0.64.2").stdout == b"back\n"


def test_other_settings_are_in_use_at_once(fresh):
    pot = fresh(size=0)
    pot.config.write_text(pot.config.read_text().replace("accept_after_failures: 2", "accept_after_failures: 3"))
    pot.process.send_signal(signal.SIGHUP)
    logged(pot, "warden applied", 10)
    assert not any("attacked from inside first" in line for line in pot.log)
