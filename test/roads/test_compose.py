"""The road of Docker Compose, whole, by its first and by its second version, where no registry can be
reached: images built here, an engine with a network of its own, an attacker with an address of their
own on the other side of it."""
import json
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

import machine as m

PROJECT = "sandtrap-road"
OUTSIDE, ATTACKER = "203.0.113.1", "203.0.113.9"
ENGINE = m.ROOT / "tools/docker-engine.sh"
ROLES = ("scribe", "warden", "port", "gate")


class Site:
    """An engine, the compose project on it, and the attacker's side of the network."""

    def __init__(self):
        self.command = None
        self.disk = m.Disk("sr-")
        self.folder = self.disk.path
        self.env_file = m.ROOT / ".env"
        self.env_before = self.env_file.read_bytes() if self.env_file.exists() else None
        self.socket = m.run(ENGINE, "start", "--network", self.folder).stdout.strip().splitlines()[-1]
        self.environment = {key: value for key, value in os.environ.items()
                            if not key.startswith(("SANDTRAP_", "COMPOSE_"))}
        self.environment.update(DOCKER_HOST=f"unix://{self.socket}", DOCKER_SOCKET=self.socket,
                                COMPOSE_PROJECT_NAME=PROJECT)
        self.stranger = None
        self.connect()

    def connect(self):
        engine = (self.folder / "docker.pid").read_text().strip()
        self.stranger = subprocess.Popen(["unshare", "--net", "sleep", "infinity"], stdin=subprocess.DEVNULL)
        own = os.readlink("/proc/self/ns/net")
        m.wait_until(lambda: os.readlink(f"/proc/{self.stranger.pid}/ns/net") != own, 10, "a network")
        m.run("nsenter", "-t", engine, "-n", "ip", "link", "add", "inside", "type", "veth", "peer", "name", "eth0",
              "netns", self.stranger.pid)
        m.run("nsenter", "-t", engine, "-n", "sh", "-c", f"ip addr add {OUTSIDE}/24 dev inside; ip link set inside up")
        m.run("nsenter", "-t", self.stranger.pid, "-n", "sh", "-c",
              f"ip addr add {ATTACKER}/24 dev eth0; ip link set eth0 up; ip route add default via {OUTSIDE}")

    def compose(self, *words, **kwargs):
        done = m.run(*self.command, *words, cwd=m.ROOT, env=self.environment, **kwargs)
        # What the containers log is theirs: a role may warn.
        assert words[0] == "logs" or not re.search("warn|obsolete|deprecated", done.stdout, re.I), done.stdout
        return done

    def docker(self, *words, **kwargs):
        return m.run("docker", *words, env=self.environment, **kwargs)

    def container(self, service):
        labels = [f"--filter=label=com.docker.compose.{key}={value}"
                  for key, value in (("project", PROJECT), ("service", service))]
        return self.docker("ps", "--quiet", "--no-trunc", *labels).stdout.strip()

    def inside(self, service, *words, user="0", **kwargs):
        return self.docker("exec", "-u", user, self.container(service), *words, **kwargs)

    def up(self, *files):
        self.compose(*files, "up", "-d")
        self.wait_healthy()

    def wait_healthy(self):
        def ready():
            return all(self.healthcheck(service).returncode == 0 for service in ROLES)
        try:
            m.wait_until(ready, 60, "every role at work")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.compose('logs', '--no-color', '--tail=20').stdout}") from None

    def healthcheck(self, service):
        """What Docker asks every 30 seconds, at once."""
        about = json.loads(self.docker("inspect", self.container(service)).stdout)[0]
        kind, *words = about["Config"]["Healthcheck"]["Test"]
        assert kind == "CMD" and words == ["sandtrap", "status", "--brief", "--role", service], words
        return self.docker("exec", self.container(service), *words, check=False)

    def attack(self, *command, check=True):
        return m.run("nsenter", "-t", self.stranger.pid, "-n", *m.ssh_command(OUTSIDE, 2222, *command), check=check)

    def host_key(self):
        said = m.run("nsenter", "-t", self.stranger.pid, "-n", "ssh-keyscan", "-T", "2", "-t", "ed25519", "-p", "2222",
                     OUTSIDE, check=False).stdout
        return next((line for line in said.splitlines() if " ssh-ed25519 " in line), "")

    def events(self, name):
        text = self.inside("scribe", "cat", "/var/lib/sandtrap/events.jsonl").stdout
        return [e for e in map(json.loads, text.splitlines()) if e["event"] == name]

    def remove(self):
        if self.stranger:
            self.stranger.kill()
            self.stranger.wait()
        left = self.docker("ps", "--all", "--quiet", check=False).stdout.split()
        if left:
            self.docker("rm", "--force", "--volumes", *left, check=False)
        m.run(ENGINE, "stop", self.folder, check=False)
        self.disk.remove()
        if self.env_before is None:
            self.env_file.unlink(missing_ok=True)
        else:
            self.env_file.write_bytes(self.env_before)


@pytest.fixture(scope="module")
def images():
    began = time.monotonic()
    one = Site()
    try:
        m.run(m.ROOT / "scripts/build_images.sh", "--offline", env=one.environment, timeout=500)
        print(f"[{time.monotonic() - began:5.1f} s] engine and images", flush=True)
        yield one
    finally:
        one.remove()


def second_compose():
    """As the docker command's plugin. Debian 12 has none: tools/compose-v2 fetches it."""
    done = subprocess.run([m.ROOT / "tools/compose-v2"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode == 77:
        pytest.skip(f"Compose 2 was not tried: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return pathlib.Path(done.stdout.strip())


@pytest.fixture(scope="module", params=["v1", "v2"])
def site(images, request):
    began = time.monotonic()
    images.command = ["docker-compose"]
    if request.param == "v2":
        plugin = second_compose()
        images.environment["DOCKER_CONFIG"] = str(plugin.parents[1])
        images.command = ["docker", "compose"]
    print(f"{request.param}: {images.compose('version').stdout.splitlines()[0]}", flush=True)
    images.up()
    print(f"[{time.monotonic() - began:5.1f} s] up", flush=True)
    yield images
    images.compose("down", "--volumes")
    assert not images.docker("volume", "ls", "--quiet").stdout, "purged"


def test_an_attacker_lands_in_a_sandbox_and_is_recorded(site):
    for _ in range(2):
        assert "Permission denied" in site.attack("id", check=False).stdout
    said = site.attack("id; echo $SSH_CONNECTION; cat /etc/debian_version; ls /root; su nobody -s /bin/sh -c id; ps axf").stdout
    assert "uid=0(root)" in said and "uid=65534(nobody)" in said, said
    assert re.search(rf"^{ATTACKER} \d+ 10\.76\.31\.14 22$", said, re.M), said
    # Programs start from inside, as on a server: no exec of the engine, no process without a parent.
    assert re.search(r"sshd: root@notty\n.*ps axf", said), said
    done = m.wait_until(lambda: site.events("recording.finished"), 20, "a finished recording")[0]
    assert done["complete"] and done["source_ip"] == ATTACKER and done["sensor"] == "sandtrap"
    recording = site.inside("scribe", "cat", f"/var/lib/sandtrap/{done['path']}").stdout
    assert "uid=65534(nobody)" in recording


def test_the_gates_container_reaches_and_writes_nothing(site):
    gate = site.container("gate")
    about = json.loads(site.docker("inspect", gate).stdout)[0]
    assert about["HostConfig"]["NetworkMode"] == "none"
    assert about["HostConfig"]["ReadonlyRootfs"]
    assert not [mount for mount in about["Mounts"] if mount["RW"]], about["Mounts"]
    assert not [mount for mount in about["Mounts"] if "docker" in mount["Source"].rsplit("/", 1)[-1]]
    assert sorted(about["HostConfig"]["CapAdd"]) == ["SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"]
    # No engine's socket, under any name.
    sockets = site.inside("gate", "sh", "-c", "find / -type s -not -path '/proc/*' 2>/dev/null", check=False).stdout
    assert set(sockets.split()) <= {f"/run/sandtrap/{name}.sock" for name in ("ports", "warden", "scribe", "control")}
    # Those are for the supervisor before the gate is confined: the gate's user could use none, even if it saw them.
    connect = ("use Socket; socket(my $s, AF_UNIX, SOCK_SEQPACKET, 0) or die; "
               "print connect($s, pack_sockaddr_un($_)) ? 'open ' : $!{EACCES} ? 'denied ' : \"$! \" for @ARGV")
    said = site.inside("gate", "perl", "-MErrno", "-e", connect, *sockets.split(), user="61801").stdout
    assert said.split() == ["denied"] * len(sockets.split()), said
    # No route out, no device to leave by.
    devices = site.inside("gate", "cat", "/proc/net/dev").stdout
    assert re.findall(r"^\s*(\S+):", devices, re.M) == ["lo"], devices
    assert len(site.inside("gate", "cat", "/proc/net/route").stdout.splitlines()) == 1
    for user in ("0", "61801"):
        refused = site.inside("gate", "bash", "-c", f"exec 3<>/dev/tcp/{OUTSIDE}/22", user=user, check=False)
        assert refused.returncode != 0 and "unreachable" in refused.stdout, refused.stdout
    # Nothing to write but the container's own /dev in memory: not even that for the gate's user.
    find = ["sh", "-c", "find / -writable -type d,f -not -path '/proc/*' -not -path /dev/mqueue 2>/dev/null"]
    assert site.inside("gate", *find, check=False, user="61801").stdout.split() == []
    assert set(site.inside("gate", *find, check=False).stdout.split()) <= {"/dev", "/dev/pts"}
    paths = ["/x", "/tmp/x", "/run/x", "/run/sandtrap/x", "/run/sandtrap/empty/x", "/var/lib/sandtrap/x"]
    assert site.inside("gate", "touch", *paths, check=False).stdout.count("Read-only") == len(paths)


def test_the_gate_itself_has_no_identity_left(site):
    status = site.inside("gate", "sh", "-c", "for p in /proc/[0-9]*; do [ $(cat $p/comm) != sandtrap-gate ] || "
                                             "cat $p/status; done").stdout
    assert "Uid:\t61801\t61801\t61801\t61801" in status
    for kind in ("CapPrm", "CapEff", "CapBnd", "CapInh"):
        assert f"{kind}:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status


def test_warden_and_scribe_have_no_network_and_only_the_warden_the_engine(site):
    for service, engine in (("warden", True), ("scribe", False), ("port", False), ("gate", False)):
        about = json.loads(site.docker("inspect", site.container(service)).stdout)[0]
        has = [mount for mount in about["Mounts"] if mount["Destination"] == "/var/run/docker.sock"]
        assert bool(has) == engine, service
        assert about["HostConfig"]["ReadonlyRootfs"] and about["HostConfig"]["CapDrop"] == ["ALL"]
        assert (about["HostConfig"]["NetworkMode"] == "none") == (service != "port")


def test_the_healthcheck_misses_what_is_missing(site):
    """Each container answers for its own role, by itself: none holds more than its role needs."""
    assert "lent" in site.healthcheck("gate").stdout, "no port to be seen from the gate's network"
    assert json.loads(site.inside("warden", "sandtrap", "status", "--json", "--role", "warden").stdout)["pool"]
    # As when a supervisor cannot keep its role alive.
    for service, role in (("gate", "gate"), ("scribe", "scribe"), ("warden", "warden")):
        supervisor = json.loads(site.docker("inspect", site.container(service)).stdout)[0]["State"]["Pid"]
        os.kill(supervisor, signal.SIGSTOP)
        try:
            kids = pathlib.Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
            names = {pathlib.Path(f"/proc/{kid}/comm").read_text().strip(): int(kid) for kid in kids}
            os.kill(names[f"sandtrap-{role}"], signal.SIGKILL)
            m.wait_until(lambda: site.healthcheck(service).returncode == 1, 10, f"{role} missed")
        finally:
            os.kill(supervisor, signal.SIGCONT)
        m.wait_until(lambda: site.healthcheck(service).returncode == 0, 20, f"{role} back")


def test_down_and_up_again_keeps_everything(site):
    key = site.host_key()
    assert key
    recordings = "find /var/lib/sandtrap/recordings -name *.cast | sort | xargs sha256sum"
    before = site.inside("scribe", "sh", "-c", recordings).stdout
    logins = len(site.events("login.succeeded"))
    assert before and logins
    site.compose("down")
    assert not site.docker("ps", "--quiet").stdout, "no sandbox outlives it"
    site.up()
    assert site.host_key() == key
    assert site.inside("scribe", "sh", "-c", recordings).stdout == before
    assert len(site.events("login.succeeded")) == logins


def test_a_gate_that_dies_comes_back_with_the_same_port(site):
    def role():
        return site.inside("gate", "sh", "-c", "for p in /proc/[0-9]*; do [ $(cat $p/comm 2>/dev/null) != sandtrap-gate ]"
                                               " || echo ${p#/proc/}; done", check=False).stdout.strip()
    first = m.wait_until(role, 20, "a gate")
    site.inside("gate", "sh", "-c", f"kill -9 {first}", user="61801")
    m.wait_until(lambda: role() not in ("", first), 20, "another gate")
    m.wait_until(lambda: "ssh-ed25519" in site.host_key(), 20, "its answer")


def test_a_port_that_is_opened_anew_finds_its_gate_again(site):
    site.docker("restart", site.container("port"))
    m.wait_until(lambda: "ssh-ed25519" in site.host_key(), 30, "an answer through the new network")
    assert "uid=0(root)" in site.attack("id").stdout


def test_development_runs_the_program_of_the_tree(site):
    site.compose("down")
    files = ("-f", "docker-compose.yml", "-f", "docker-compose.dev.yml")
    site.compose(*files, "up", "-d")
    site.wait_healthy()
    program = site.inside("gate", "sha256sum", "/usr/bin/sandtrap").stdout.split()[0]
    assert program == m.run("sha256sum", m.ROOT / "build/release/sandtrap").stdout.split()[0]
    assert "uid=0(root)" in site.attack("id").stdout
    site.compose(*files, "down", "--volumes")
