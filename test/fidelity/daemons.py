"""The servers that are compared: Debian's sshd in a private view of the machine, and honeypots."""
import atexit
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
import honeypot as hp  # noqa: E402
import wire  # noqa: E402

# In a mount namespace of its own, so that the home of this machine's root neither counts nor changes.
PRIVATE = 'mount --bind "$0" /root && exec "$@"'


class Sshd:
    """Debian's sshd, default settings but for the port and for who may log in."""

    def __init__(self, base, user_key, extra="XAuthLocation /nonexistent\n"):
        self.base, self.port = base, hp.free_port()
        base.mkdir()
        home = base / "home"
        home.mkdir(mode=0o700)
        for name in ("bashrc", "profile"):
            shutil.copy(f"/usr/share/base-files/dot.{name}", home / f".{name}")
        pathlib.Path("/run/sshd").mkdir(exist_ok=True)
        for kind, bits in (("rsa", "3072"), ("ecdsa", "256"), ("ed25519", "256")):
            subprocess.run(["ssh-keygen", "-q", "-t", kind, "-b", bits, "-N", "", "-f", base / f"host_{kind}"], check=True)
        (base / "config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nListenAddress ::1\nPidFile none\nUsePAM yes\nKbdInteractiveAuthentication no\n"
            f"StrictModes no\nPermitRootLogin yes\nMaxStartups 500\nAuthorizedKeysFile {user_key}.pub\nAcceptEnv LANG LC_*\n"
            "PrintMotd no\nX11Forwarding yes\nSubsystem sftp /usr/lib/openssh/sftp-server\n"
            + extra + "".join(f"HostKey {base}/host_{k}\n" for k in ("rsa", "ecdsa", "ed25519")))
        self.process = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", PRIVATE, str(home), "/usr/sbin/sshd", "-D", "-e", "-f", str(base / "config")],
            stderr=subprocess.DEVNULL)
        atexit.register(self.stop)  # also when the run never gets to its end
        hp.wait_until(self.answers, 10, "sshd")

    def answers(self):
        try:
            wire.Wire(self.port).close()
            return True
        except OSError:
            return False

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)


def pot(engine, keys, extra=""):
    honeypot = hp.Honeypot(engine, size=2, max_total=8, accept_after="false", extra=extra)
    text = honeypot.config.read_text().replace("authentication:\n", f"authentication:\n  public_keys: {keys}\n")
    # The delay that a real installation has: what `make fidelity` compares with libpam's.
    text = "".join(line for line in text.splitlines(True) if "failure_delay" not in line)
    honeypot.config.write_text(text)
    return honeypot.start()
