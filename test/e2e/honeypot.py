"""A running honeypot for a test: the release binary, a private data folder, a free port.

Everything is real: supervisor, three roles, engine, containers. Only processes started here are
ended here, by pid.
"""
import atexit
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import paramiko

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("SANDTRAP_BINARY", ROOT / "build/release/sandtrap"))
DOCKER_SOCKET = os.environ.get("SANDTRAP_DOCKER_SOCKET", "/var/run/docker.sock")

CONFIG = """\
data_dir: {data}
server:
  listen: ["127.0.0.1:{port}"]
  max_startups: "5000:30:10000"
  max_connections_per_source: 10000
  source_rate: 0
authentication:
  credentials:
    - {{user: root, password: "letmein"}}
    - {{user: admin, password: "letmein"}}
  accept_after_failures: {accept_after}
  failure_delay_min: {delay}
  failure_delay_max: {delay}
container_pool:
  engine: {engine}
  size: {size}
  max_total: {max_total}
cases:
  observe: {linger}
  keep: {keep}
{extra_cases}docker:
  socket: {socket}
{extra}"""


def docker(method, path):
    """One request to the Docker Engine; its status."""
    connection = http.client.HTTPConnection("docker")
    connection.sock = socket.socket(socket.AF_UNIX)
    try:
        connection.sock.connect(DOCKER_SOCKET)
        connection.request(method, path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


def send_message(transport, kind, *fields):
    """A message of any kind and content over a Paramiko transport, past its own checks."""
    message = paramiko.Message()
    message.add_byte(bytes([kind]))
    for field in fields:
        if isinstance(field, bool):
            message.add_boolean(field)
        elif isinstance(field, int):
            message.add_int(field)
        else:
            message.add_string(field)
    transport._send_user_message(message)


def sandbox_cgroups():
    """The embedded engine's: /sys/fs/cgroup[/controller]/st-INSTANCE."""
    root = pathlib.Path("/sys/fs/cgroup")
    return {str(path) for pattern in ("st-*", "*/st-*") for path in root.glob(pattern)}


class Honeypot:
    def __init__(self, engine, size=3, max_total=30, linger="60s", keep="0s", extra_cases="", accept_after=2, delay="50ms", extra=""):
        self.engine = engine
        self.port = free_port()
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="sandtrap-e2e-"))
        self.data = self.base / "data"
        self.config = self.base / "config.yaml"
        self.config.write_text(CONFIG.format(
            data=self.data, port=self.port, engine=engine, size=size, max_total=max_total, linger=linger, keep=keep, extra_cases=extra_cases,
            accept_after=accept_after, delay=delay, socket=DOCKER_SOCKET, extra=extra))
        self.log = []
        self.process = None
        self.cgroups_before = sandbox_cgroups()

    # ---- life
    def start(self, seconds=60):
        began = time.monotonic()
        self.process = subprocess.Popen(
            [str(BINARY), "serve", "--config", str(self.config)], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace")
        ready = threading.Event()

        def follow():
            for line in self.process.stderr:
                self.log.append(line.rstrip("\n"))
                if "sandtrap ready" in line:
                    ready.set()
            ready.set()

        atexit.register(self.stop)  # also when the test never gets to its end
        self.follower = threading.Thread(target=follow, daemon=True)
        self.follower.start()
        assert ready.wait(seconds) and self.process.poll() is None, "did not start:\n" + self.text()
        self.start_seconds = time.monotonic() - began
        return self

    def stop(self, sig=signal.SIGINT, seconds=60):
        if self.process and self.process.poll() is None:
            self.process.send_signal(sig)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill_all()
                raise AssertionError("did not stop:\n" + self.text())
        return self.process.returncode if self.process else None

    def kill_all(self):
        # Stopped first: none may see another's end and put its things in order.
        pids = [self.process.pid, *self.role_pids().values()]
        for sig in (signal.SIGSTOP, signal.SIGKILL):
            for pid in pids:
                try:
                    os.kill(pid, sig)
                except ProcessLookupError:
                    pass

    def remove(self):
        for reference in (self.data / "preserved").glob("*/reference"):  # Docker's stopped containers
            docker("DELETE", f"/containers/{reference.read_text().strip()}?force=1&v=1")
        shutil.rmtree(self.base, ignore_errors=True)

    def text(self):
        return "\n".join(self.log[-60:])

    def children(self):
        out = []
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rsplit(")", 1)[1].split()
            except (OSError, IndexError):
                continue
            if int(fields[1]) == self.process.pid:
                out.append(int(stat.parent.name))
        return out

    def role_pids(self):
        """role name -> pid, read from the children's command lines."""
        roles = {}
        for pid in self.children():
            try:
                words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            for role in ("gate", "warden", "scribe"):
                if role in words:
                    roles[role] = pid
        return roles

    # ---- what it wrote
    def events(self, name=None):
        path = self.data / "events.jsonl"
        if not path.exists():
            return []
        whole, _, rest = path.read_bytes().rpartition(b"\n")
        # A long line may be seen while it is written; not after the end.
        assert not rest or self.process.poll() is None, rest[:200]
        found = [json.loads(line) for line in whole.split(b"\n") if line.strip()]
        return [e for e in found if name is None or e["event"] == name]

    def wait_event(self, name, seconds=10, where=lambda e: True):
        def look():
            return [e for e in self.events(name) if where(e)]
        return wait_until(look, seconds, f"event {name}")[-1]

    def recordings(self):
        return sorted((self.data / "recordings").rglob("*.cast"))

    # ---- clients
    def ssh_options(self, source="127.0.0.1", prompts=1):
        return ["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                "-o", "LogLevel=ERROR", "-o", "PreferredAuthentications=password", "-o", "PubkeyAuthentication=no",
                "-o", f"NumberOfPasswordPrompts={prompts}", "-o", f"BindAddress={source}"]

    def ssh_command(self, *args, source="127.0.0.1", user="root", password="letmein", options=()):
        return ["sshpass", "-p", password, "ssh", *self.ssh_options(source), *options, "-p", str(self.port),
                f"{user}@127.0.0.1", *args]

    def ssh(self, *args, timeout=30, stdin=subprocess.DEVNULL, **kwargs):
        return subprocess.run(self.ssh_command(*args, **kwargs), stdin=stdin, capture_output=True, timeout=timeout)


def leaks(honeypot):
    """What a stopped honeypot must not leave: processes, mounts, cgroups, loop devices, namespaces."""
    marks = [str(honeypot.base)]
    found = []
    for link in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = link.read_bytes().decode(errors="replace").replace("\0", " ")
        except OSError:
            continue
        if any(mark in text for mark in marks):
            found.append(f"process {link.parent.name}: {text[:120]}")
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        found += [f"mount {line.strip()}" for line in mounts if any(mark in line for mark in marks)]
    for backing in pathlib.Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            text = backing.read_text()
        except OSError:
            continue
        if any(mark in text for mark in marks):
            found.append(f"loop {backing}: {text}")
    found += [f"cgroup {path}" for path in sorted(sandbox_cgroups() - honeypot.cgroups_before)]
    return found
