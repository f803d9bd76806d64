"""Forwardings. SandTrap contacts nobody, so its clients see what sshd's see whose target refuses."""
import re
import socket
import subprocess
import time

from rows import PASSWORD, USER, row
from rows_openssh import ssh

CLIENT = "OpenSSH"
REFUSED = re.compile("Connection refused")


class Closed:
    """A port that is bound and answers nobody: connecting to it is refused, and nobody else gets it."""

    def __enter__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        return self.socket.getsockname()[1]

    def __exit__(self, *_):
        self.socket.close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def through(side, argv, port, bytes_out, count=1):
    """Runs a forwarding client, connects to its local port and tells what came back and how it ended."""
    process = subprocess.Popen([str(w) for w in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=side.scratch,
                               env=side.environment(), start_new_session=True)
    answers = []
    try:
        for _ in range(count):
            connection = connect(port, process)
            connection.settimeout(10)
            back, end = b"", "closed"
            try:
                connection.sendall(bytes_out)
                while data := connection.recv(4096):
                    back += data
            except ConnectionResetError:
                end = "closed"  # unread bytes of ours make it a reset: the local client's matter
            answers.append([back, end])
            connection.close()
        alive = process.poll() is None
    finally:
        process.kill()  # a signal that it handles may come between its look and its poll
        out, err = process.communicate(timeout=10)
    return {"answers": answers, "alive": alive, "stdout": side.mask(out), "stderr": side.mask(err)}


def connect(port, process):
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise AssertionError(f"no forwarding: {process.poll()} {process.stderr.read() if process.poll() is not None else ''}")


@row("forwarding", CLIENT, "-L to a closed port", "what the local client sees, texts", alive=True, stderr=REFUSED)
def local(side):
    with Closed() as closed:
        here = free_port()
        side.hide(str(here), "HERE")
        side.hide(str(closed), "CLOSED")
        return through(side, ssh(side, key="ed25519", more=["-N", "-L", f"127.0.0.1:{here}:127.0.0.1:{closed}"]), here, b"GET / HTTP/1.0\r\n\r\n", 2)


@row("forwarding", CLIENT, "-L to a unix socket that is not there", "what the local client sees, texts", alive=True, stderr=re.compile("open failed"))
def local_streamlocal(side):
    here = free_port()
    side.hide(str(here), "HERE")
    return through(side, ssh(side, key="ed25519", more=["-N", "-L", f"127.0.0.1:{here}:/run/no-such-socket"]), here, b"x")


for version in ("4", "5"):
    @row("forwarding", CLIENT, f"-D (SOCKS{version}) to a closed port", "the proxy's answer, texts", alive=True, stderr=REFUSED)
    def dynamic(side, version=version):
        with Closed() as closed:
            here = free_port()
            side.hide(str(here), "HERE")
            where = closed.to_bytes(2, "big")
            request = b"\4\1" + where + b"\x7f\0\0\1u\0" if version == "4" else b"\5\1\0" + b"\5\1\0\1\x7f\0\0\1" + where
            return through(side, ssh(side, key="ed25519", more=["-N", "-D", f"127.0.0.1:{here}"]), here, request)


@row("forwarding", CLIENT, "-W to a closed port", "exit status, texts", exit=255, stderr=REFUSED)
def stdio(side):
    with Closed() as closed:
        side.hide(str(closed), "CLOSED")
        return side.program(ssh(side, key="ed25519", more=["-W", f"127.0.0.1:{closed}"]))


@row("forwarding", CLIENT, "ProxyJump to a closed port", "exit status, texts", exit=255, stderr=REFUSED)
def jump(side):
    config = side.file("config", f"""Host jump
  HostName 127.0.0.1
  Port {side.port}
  User {USER}
  IdentityFile {side.material.user_keys}/ed25519
  IdentitiesOnly yes
  HostKeyAlias interop
  UserKnownHostsFile {side.material.known_hosts}
  GlobalKnownHostsFile none
""".encode())
    with Closed() as closed:
        side.hide(str(closed), "CLOSED")
        return side.program(["ssh", "-F", config, "-J", "jump", "-p", closed, f"{USER}@127.0.0.1", "true"])


for wanted, status in (("yes", 255), ("no", 0)):
    @row("forwarding", CLIENT, f"-R of the server's own port (ExitOnForwardFailure={wanted})", "exit status, texts", exit=status, stderr=re.compile("remote port forwarding failed"))
    def remote(side, wanted=wanted):
        taken = side.server.port
        side.hide(str(taken), "TAKEN")
        return side.program(ssh(side, "true", key="ed25519", more=["-o", f"ExitOnForwardFailure={wanted}", "-R", f"127.0.0.1:{taken}:127.0.0.1:1"]))


@row("forwarding", CLIENT, "-R of a unix socket in a folder that is not there", "exit status, texts", exit=255, stderr=re.compile("remote port forwarding failed"))
def remote_streamlocal(side):
    return side.program(ssh(side, "true", key="ed25519", more=["-o", "ExitOnForwardFailure=yes", "-R", "/no/such/folder/socket:127.0.0.1:1"]))


@row("forwarding", CLIENT, "-w (tunnel device)", "exit status, texts", exit=0, stderr=re.compile("open failed"))
def tunnel(side):
    return side.program(ssh(side, "sleep 0.3", key="ed25519", more=["-o", "Tunnel=ethernet", "-w", "any:any"]))


@row("forwarding", "dropbear", "-L to a closed port", "what the local client sees, texts", alive=True)
def dropbear_local(side):
    with Closed() as closed:
        here = free_port()
        side.hide(str(here), "HERE")
        argv = ["dbclient", "-y", "-y", "-N", "-L", f"127.0.0.1:{here}:127.0.0.1:{closed}", "-p", side.port, f"{USER}@127.0.0.1"]
        return through(side, ["env", f"DROPBEAR_PASSWORD={PASSWORD}", *argv], here, b"x")


@row("forwarding", "PuTTY", "plink -L to a closed port", "what the local client sees, texts", alive=True)
def plink_local(side):
    with Closed() as closed:
        here = free_port()
        side.hide(str(here), "HERE")
        argv = ["plink", "-batch", "-hostkey", side.material.fingerprint("ed25519"), "-N", "-L", f"127.0.0.1:{here}:127.0.0.1:{closed}", "-P", side.port,
                "-pw", PASSWORD, f"{USER}@127.0.0.1"]
        return through(side, argv, here, b"x")
