"""A Debian 12 machine for a test: a fresh root file system, booted with its own systemd in a
container (systemd-nspawn), with a network of its own. What nspawn forbids beyond what a machine
forbids is lifted, so that sandboxes are the real thing.

Also small helpers for both roads.
"""
import os
import pathlib
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SANDTRAP_BINARY", ROOT / "build/release/sandtrap")).parent
GUEST = ROOT / "build/guest"
CGROUPS = pathlib.Path("/sys/fs/cgroup")


def run(*words, check=True, timeout=300, **kwargs):
    done = subprocess.run([str(w) for w in words], stdin=kwargs.pop("stdin", subprocess.DEVNULL), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, **kwargs)
    assert not check or done.returncode == 0, f"{words} ended with {done.returncode}:\n{done.stdout[-6000:]}"
    return done


def wait_until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


def ssh_command(host, port, *command, user="root", password="letmein", options=()):
    return ["sshpass", "-p", password, "ssh", "-F", "none", "-o", "StrictHostKeyChecking=no",
            "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "PreferredAuthentications=password",
            "-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1", *options, "-p", str(port),
            f"{user}@{host}", *command]


def package(version, folder):
    """`make deb` without its build: the package of the binaries that the tests run."""
    run("cpack", "-D", f"CPACK_PACKAGE_VERSION={version}", "-B", folder, cwd=BUILD)
    return next(pathlib.Path(folder).glob(f"sandtrap_{version}_*.deb"))


class Disk:
    """A folder on a disk of its own, in one file: gigabytes of small files are gone at once with it.
    Not in memory: that would count as the sandboxes' own."""

    def __init__(self, prefix):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))  # sockets need a short path
        self.file = self.path.with_suffix(".img")
        run("truncate", "-s", "8G", self.file)
        run("mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=1,nodiscard", self.file)
        run("mount", "-o", "loop,noatime,nodiscard,nobarrier", self.file, self.path)
        self.path.chmod(0o755)

    def remove(self):
        run("umount", "--lazy", self.path, check=False)
        self.path.rmdir()
        self.file.unlink()


class Groups:
    """A control group of its own in each hierarchy: what the machine makes stays below it."""

    def __init__(self, name):
        v1 = [path for path in CGROUPS.iterdir() if (path / "cgroup.procs").exists()]
        self.paths = [path / name for path in (v1 or [CGROUPS])]
        for path in self.paths:
            path.mkdir()
            for key in ("cpuset.cpus", "cpuset.mems"):
                if (path.parent / key).exists():
                    (path / key).write_text((path.parent / key).read_text())

    def enter(self):
        for path in self.paths:
            (path / "cgroup.procs").write_text("0")

    def sandboxes(self):
        return [str(found) for path in self.paths for found in path.glob("st-*")]

    def remove(self):
        for path in self.paths:
            for folder, _, _ in os.walk(path, topdown=False):
                try:
                    os.rmdir(folder)
                except OSError:
                    pass


class Machine:
    def __init__(self):
        self.disk = Disk("sm-")
        self.root = self.disk.path / "root"
        self.root.mkdir(mode=0o755)
        self.process = self.leader = None
        self.groups = Groups(f"sandtrap-road-{os.getpid()}")
        self.log = self.disk.path / "log"
        bootstrap = next((GUEST / "cache").glob("base-*.tar"))  # Debian 12 as mmdebstrap left it
        run("tar", "-x", "-f", bootstrap, "-C", self.root, "--numeric-owner", "--preserve-permissions",
            "--exclude=./dev/*")
        for left in ("etc/dpkg/dpkg.cfg.d/99mmdebstrap", "etc/apt/apt.conf.d/99mmdebstrap"):
            (self.root / left).unlink(missing_ok=True)
        (self.root / "etc/machine-id").write_text("")

    def nspawn(self, *arguments):
        return ["systemd-nspawn", "--quiet", f"--directory={self.root}", "--register=no", "--keep-unit", *arguments]

    def download(self, *packages):
        """With this machine's network and lists; all that is installed later comes from there."""
        run(*self.nspawn("--pipe", "--bind=/var/lib/apt/lists"), "apt-get", "-o", "Debug::NoLocking=1", "install",
            "--yes", "--no-install-recommends", "--download-only", *packages, preexec_fn=self.groups.enter)

    def boot(self):
        devices = [f"--bind={path}" for path in sorted(pathlib.Path("/dev").glob("loop*"))]
        # runc needs a writable /proc/sys, key rings and all capabilities, as on a machine.
        environment = dict(os.environ, SYSTEMD_NSPAWN_API_VFS_WRITABLE="1", SYSTEMD_SECCOMP="0")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.nspawn("--boot", "--private-network", "--capability=all", "--console=pipe",
                            f"--bind-ro={GUEST / 'debian-12'}:/guest", *devices),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, preexec_fn=self.groups.enter)
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")

        def first_process():  # nspawn has helpers before
            found = [pid for pid in children.read_text().split()
                     if pathlib.Path(f"/proc/{pid}/comm").read_text() == "systemd\n"]
            return found and int(found[0])

        def is_up():
            return self.run("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded")

        try:
            self.leader = wait_until(first_process, 30, "process 1")
            wait_until(is_up, 60, "the machine's boot")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log.read_text(errors='replace')[-3000:]}") from None
        # nspawn mounts controllers read-only; on a machine they are root's.
        self.sh("for group in /sys/fs/cgroup /sys/fs/cgroup/*; do mountpoint -q $group && "
                "mount -o remount,bind,rw $group; done; true")

    def run(self, *words, **kwargs):
        """Inside, as root."""
        return run("nsenter", "-t", self.leader, "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "env", "-i",
                   "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", *words, **kwargs)

    def sh(self, text, **kwargs):
        return self.run("sh", "-c", text, **kwargs)

    def ssh(self, *command, port=22, timeout=60, check=True, **kwargs):
        """As an attacker on the machine's own network."""
        return run("nsenter", "-t", self.leader, "-n", *ssh_command("127.0.0.1", port, *command, **kwargs),
                   timeout=timeout, check=check)

    def files(self):
        """Every file and what it is, without what changes by itself."""
        skip = ("proc", "sys", "dev", "run", "tmp", "guest", "var/log", "var/tmp", "var/cache", "var/lib/dpkg",
                "var/lib/apt", "var/lib/systemd", "root", "etc/ld.so.cache")
        found = {}
        for folder, folders, names in os.walk(self.root):
            inside = os.path.relpath(folder, self.root)
            folders[:] = [f for f in folders if os.path.normpath(os.path.join(inside, f)) not in skip]
            for name in [*folders, *names]:
                path = os.path.normpath(os.path.join(inside, name))
                if path not in skip:
                    info = os.lstat(os.path.join(folder, name))
                    found[path] = (info.st_mode, info.st_uid, info.st_gid)
        return found

    def stop(self):
        if self.process and self.process.poll() is None:
            try:
                os.kill(self.leader or self.process.pid, signal.SIGRTMIN + 14)  # power off, at once
                self.process.wait(20)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                os.kill(self.leader or self.process.pid, signal.SIGKILL)
                self.process.wait(30)

    def remove(self):
        self.stop()
        self.groups.remove()
        self.disk.remove()
