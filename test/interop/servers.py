"""The two servers that every row is tried against.

The reference is Debian's sshd in a mount namespace of its own, so that the machine keeps its accounts
and log files. Both servers have the same host keys and let the same user in.
"""
import atexit
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import honeypot as hp  # noqa: E402

USER, PASSWORD, WRONG = "root", "letmein", "wrong"
GUESSES = ("123456", "admin", "Passw0rd", "qwerty")  # of the user admin; the third works
KINDS = {"rsa": "3072", "ecdsa": "256", "ed25519": "256"}
USER_KINDS = {"rsa": "2048", "ecdsa": "384", "ed25519": "256"}


class Material:
    """Keys and files that both servers and all clients share."""

    def __init__(self):
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="sandtrap-interop-"))
        self.base.chmod(0o755)
        atexit.register(self.remove)
        self.host_keys, self.user_keys = self.base / "host_keys", self.base / "user_keys"
        for folder, prefix, kinds in ((self.host_keys, "ssh_host_", KINDS), (self.user_keys, "", USER_KINDS)):
            folder.mkdir(mode=0o700)
            for kind, bits in kinds.items():
                self.make_key(folder / f"{prefix}{kind}{'_key' if prefix else ''}", kind, bits)
        self.make_key(self.user_keys / "stranger", "ed25519", "256")
        public = [(self.host_keys / f"ssh_host_{kind}_key.pub").read_text().split()[:2] for kind in KINDS]
        self.known_hosts = self.base / "known_hosts"
        self.known_hosts.write_text("".join(f"interop {kind} {blob}\n" for kind, blob in public))
        self.authorized = self.base / "authorized_keys"
        self.authorized.write_text("".join((self.user_keys / f"{kind}.pub").read_text() for kind in USER_KINDS))
        self.askpass = self.script("askpass", 'echo "$1" >>"$HOME/asked"; printf "%s\\n" "$ASKPASS_ANSWER"')
        (self.base / "home").mkdir()

    @staticmethod
    def make_key(path, kind, bits):
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-b", bits, "-N", "", "-C", "interop", "-f", path], check=True)

    def script(self, name, text):
        path = self.base / name
        path.write_text("#!/bin/sh\n" + text + "\n")
        path.chmod(0o755)
        return path

    def fingerprint(self, kind):
        line = subprocess.run(["ssh-keygen", "-lf", self.host_keys / f"ssh_host_{kind}_key.pub"], capture_output=True, text=True, check=True)
        return line.stdout.split()[1]

    def remove(self):
        shutil.rmtree(self.base, ignore_errors=True)


# Private copies are mounted over what a login reads and writes: accounts, PAM (Debian's, without the
# pause after a failure: timing is the fidelity test's matter), root's home, login records, temporary files.
ENTER = """set -e
cd "$1"
mkdir -p "$1/tmp/$2"
chmod 1777 tmp
mount --bind "$1/.." "$1/tmp/$2"
mount --rbind tmp /tmp
for file in passwd shadow group; do mount --bind "$file" "/etc/$file"; done
mount --bind pam.d /etc/pam.d
mount --bind root /root
for file in /var/log/wtmp /var/log/lastlog /var/log/btmp /run/utmp; do
  if [ -e "$file" ]; then mount --bind record "$file"; fi
done
exec /usr/sbin/sshd -D -e -f "$1/config"
"""


class Sshd:
    name = "sshd"

    def __init__(self, material, users=((USER, PASSWORD), ("admin", GUESSES[2]))):
        self.base, self.port = pathlib.Path(tempfile.mkdtemp(prefix="sshd-", dir=material.base)), hp.free_port()
        self.base.chmod(0o755)
        pathlib.Path("/run/sshd").mkdir(exist_ok=True)
        hashed = {user: subprocess.run(["openssl", "passwd", "-6", word], capture_output=True, text=True, check=True).stdout.strip()
                  for user, word in users}
        system = "sshd:x:102:65534::/run/sshd:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
        self.file("passwd", "root:x:0:0:root:/root:/bin/bash\nadmin:x:1000:1000::/:/bin/bash\n" + system)
        self.file("group", "root:x:0:\nadmin:x:1000:\ntty:x:5:\nshadow:x:42:\nutmp:x:43:\nnogroup:x:65534:\n")
        self.file("shadow", "".join(f"{user}:{word}:19000:0:99999:7:::\n" for user, word in hashed.items())).chmod(0o600)
        self.file("record", "")
        shutil.copytree("/etc/pam.d", self.base / "pam.d")
        auth = self.base / "pam.d" / "common-auth"
        auth.write_text(auth.read_text().replace("pam_unix.so nullok", "pam_unix.so nullok nodelay"))
        (self.base / "root").mkdir(mode=0o700)
        for name in ("bashrc", "profile"):
            shutil.copy(f"/usr/share/base-files/dot.{name}", self.base / "root" / f".{name}")
        self.file("config", "\n".join([
            f"Port {self.port}", "ListenAddress 127.0.0.1", "PidFile none", "UsePAM yes", "KbdInteractiveAuthentication no", "StrictModes no",
            "PermitRootLogin yes", "MaxStartups 500", f"AuthorizedKeysFile {material.authorized}", "AcceptEnv LANG LC_*", "PrintMotd no",
            # The machine that SandTrap shows has no xauth(1).
            "X11Forwarding yes", "XAuthLocation /usr/bin/no-xauth-here", "Subsystem sftp /usr/lib/openssh/sftp-server",
            *[f"HostKey {material.host_keys}/ssh_host_{kind}_key" for kind in KINDS]]) + "\n")
        self.log = open(self.base / "log", "wb")
        self.process = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER, "sh", str(self.base), material.base.name],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        atexit.register(self.stop)  # also when a honeypot never starts
        hp.wait_until(lambda: answers(self.port), 10, "sshd")

    def file(self, name, text):
        path = self.base / name
        path.write_text(text)
        return path

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)
        self.log.close()


class SandTrap:
    name = "sandtrap"

    def __init__(self, material, public_keys="accept", denied=True):
        self.pot = hp.Honeypot(os.environ.get("SANDTRAP_INTEROP_ENGINE", "oci"), size=2, max_total=30,
                               extra="container:\n  cpus: 2\n  pids: 400\n")
        text = self.pot.config.read_text()
        text = text.replace("server:\n", f"server:\n  host_key_dir: {material.host_keys}\n")
        text = text.replace("authentication:\n", f"authentication:\n  public_keys: {public_keys}\n")
        if denied:  # rows with a wrong password must not add up to an accepted one
            text = text.replace("  credentials:\n", f'  credentials:\n    - {{user: "*", password: "{WRONG}", deny: true}}\n')
        self.pot.config.write_text(text)
        self.pot.start()
        self.port = self.pot.port

    def stop(self):
        try:
            return self.pot.stop()
        finally:
            self.pot.remove()


def answers(port):
    with socket.socket() as probe:
        try:
            probe.connect(("127.0.0.1", port))
            return probe.recv(4) == b"SSH-"
        except OSError:
            return False
