"""The native road, whole: a fresh Debian 12 with its own systemd; the package installed, port 22
taken, a session recorded, an upgrade, a purge."""
import hashlib
import json
import shutil
import stat
import tempfile
import time

import pytest

import machine as m


@pytest.fixture
def debian():
    box = m.Machine()
    yield box
    box.remove()


@pytest.fixture
def packages():
    folder = tempfile.mkdtemp(prefix="sandtrap-deb-")
    yield m.package("0.1.0", folder), m.package("0.1.1", folder)
    shutil.rmtree(folder)


class Steps:
    def __init__(self):
        self.began = time.monotonic()

    def __call__(self, what):
        print(f"[{time.monotonic() - self.began:5.1f} s] {what}", flush=True)


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def events(debian, name):
    lines = (debian.root / "var/lib/sandtrap/events.jsonl").read_text().splitlines()
    return [e for e in map(json.loads, lines) if e["event"] == name]


def pid_of(debian, role):
    return debian.run("systemctl", "show", "-p", "MainPID", "--value", f"sandtrap-{role}").stdout.strip()


def wait_ready(debian, role, what="ready"):
    def look():
        text = debian.run("journalctl", "-o", "cat", "-u", f"sandtrap-{role}", f"_PID={pid_of(debian, role)}",
                          check=False).stdout
        return f"sandtrap {role} {what}" in text
    try:
        m.wait_until(look, 60, f"{role} {what}")
    except AssertionError as error:
        journal = debian.run("journalctl", "-o", "cat", "-u", "sandtrap-*", "-n", "40", check=False).stdout
        raise AssertionError(f"{error}\n{journal}") from None


def take_port_22(debian):
    check = ["/usr/share/sandtrap/scripts/check_port.sh"]
    refused = debian.run(*check, check=False)
    assert refused.returncode == 1 and "own sshd listens on port 22" in refused.stdout, refused.stdout
    assert "port.conf" in refused.stdout, "it must say what to do"
    debian.sh("printf 'Port 22022\\n' > /etc/ssh/sshd_config.d/port.conf; sshd -t && systemctl restart ssh")
    m.wait_until(lambda: debian.run(*check, check=False).returncode == 0, 20, "a free port 22")


def purge(debian, before):
    out = debian.run("apt-get", "purge", "--yes", "sandtrap").stdout
    assert "keeps the event log" in out
    after = debian.files()
    kept = "var/lib/sandtrap"
    known = (f"{kept}/events.jsonl", f"{kept}/logs", f"{kept}/recordings", f"{kept}/preserved", f"{kept}/cases")
    ours = "etc/ssh/sshd_config.d/port.conf"  # the operator's: take_port_22
    left = {path for path in after if path not in before and path not in (kept, ours) and not path.startswith(known)}
    assert not left, f"purging left {sorted(left)}"
    assert stat.S_IMODE(after[kept][0]) == 0o700 and after[kept][1:] == (0, 0)
    assert not set(before) - set(after), f"purging took {sorted(set(before) - set(after))}"
    assert f"{kept}/events.jsonl" in after
    for database in ("passwd", "group", "shadow"):
        assert "sandtrap" not in (debian.root / "etc" / database).read_text()
    assert debian.sh("ls -d /run/sandtrap* 2>/dev/null", check=False).stdout == ""
    assert "sandtrap" not in debian.sh("systemctl list-units --all --no-legend; ps ax; mount").stdout
    assert "/var/lib/sandtrap" not in debian.run("losetup").stdout  # it shows those of the whole host
    assert not debian.groups.sandboxes()


def test_the_road_of_the_package(debian, packages):
    step = Steps()
    first, second = packages
    for deb in packages:
        shutil.copy(deb, debian.root / "root")
    debian.download(f"/root/{first.name}", "runc")
    step("a fresh Debian 12, packages downloaded")
    debian.boot()
    debian.sh("apt-get install --yes --no-install-recommends /var/cache/apt/archives/*.deb")
    before = debian.files()
    step("booted, libraries installed")

    debian.run("apt-get", "install", "--yes", "--no-install-recommends", f"/root/{first.name}")
    config = debian.root / "etc/sandtrap/config.yaml"
    assert stat.S_IMODE(config.stat().st_mode) == 0o600, "it may hold credentials"
    keys = {path.name: digest(path) for path in (debian.root / "var/lib/sandtrap/keys").iterdir()}
    assert len(keys) == 6, "three host keys and their public halves, made at install"
    assert "sandtrap" not in debian.sh("ss -ltnp; systemctl is-enabled sandtrap.target", check=False).stdout
    assert debian.run("man", "--where", "sandtrap", check=False).returncode in (0, 127)
    take_port_22(debian)
    step("installed, port 22 free")

    config.write_text(config.read_text().replace("0.0.0.0:2222", "0.0.0.0:22") +
                      "oci: {image: /guest/rootfs}\n"
                      "authentication: {credentials: [{user: root, password: letmein}]}\n")
    edited = digest(config)
    debian.run("sandtrap", "check", "/etc/sandtrap/config.yaml")
    debian.run("systemctl", "enable", "--now", "sandtrap.target")
    wait_ready(debian, "gate")
    step("serving")
    said = debian.ssh("id; cat /etc/debian_version; su nobody -s /bin/sh -c id; echo only-here >/root/mark").stdout
    assert "uid=0(root)" in said and "uid=65534(nobody)" in said, said
    finished = m.wait_until(lambda: events(debian, "recording.finished"), 20, "a finished recording")[0]
    recording = debian.root / "var/lib/sandtrap" / finished["path"]
    assert "uid=65534(nobody)" in recording.read_text() and finished["complete"]
    assert events(debian, "login.succeeded")[0]["user"] == "root"
    assert "yes: SandTrap has port 22" in debian.run("/usr/share/sandtrap/scripts/check_port.sh").stdout
    # The gate writes nothing and still is seen.
    status = json.loads(debian.run("sandtrap", "status", "--json").stdout)
    assert status["healthy"] and set(status["roles"].values()) == {True} and status["ports"] == {"0.0.0.0:22": True}
    assert status["recordings"]["files"] and status["pool"]["engine"] == "oci", status
    step("a session recorded")

    # Whatever becomes of the gate's service, it writes nowhere and sees no data.
    inside = f"nsenter -t {pid_of(debian, 'gate')} -m -- sh -c"
    for path in ("/etc/x", "/run/sandtrap/x", "/var/lib/x", "/root/x", "/home/x"):
        assert debian.sh(f"{inside} 'touch {path}'", check=False).returncode != 0, path
    assert debian.sh(f"{inside} 'ls -A /var/lib/sandtrap/'", check=False).stdout == ""

    pids = {role: pid_of(debian, role) for role in ("gate", "warden", "scribe")}
    debian.run("apt-get", "install", "--yes", f"/root/{second.name}")
    assert digest(config) == edited, "an upgrade keeps the configuration"
    assert keys == {path.name: digest(path) for path in (debian.root / "var/lib/sandtrap/keys").iterdir()}
    assert all(pid_of(debian, role) != pid for role, pid in pids.items()), "it runs the new program"
    wait_ready(debian, "gate")
    assert "uid=0(root)" in debian.ssh("id").stdout
    assert recording.exists()
    step("upgraded")

    m.wait_until(lambda: len(events(debian, "recording.finished")) == 2, 20, "the second recording")
    purge(debian, before)
    step("purged")
