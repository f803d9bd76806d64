"""scripts/: thin covers, each with --help, idempotent, and --dry-run where something would go."""
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

import machine as m

SCRIPTS = m.ROOT / "scripts"
PROGRAM = m.BUILD / "sandtrap"


@pytest.fixture
def folder():
    path = pathlib.Path(tempfile.mkdtemp(prefix="sandtrap-scripts-"))
    yield path
    shutil.rmtree(path)


def script(name, *words, program=PROGRAM, **kwargs):
    return m.run(SCRIPTS / name, *words, env=dict(os.environ, SANDTRAP=str(program)), check=False, **kwargs)


@pytest.mark.parametrize("path", sorted(path for path in SCRIPTS.iterdir() if path.is_file()), ids=lambda path: path.name)
def test_every_script_helps_and_is_executable(path):
    done = m.run(path, "--help")
    assert "usage" in done.stdout or f"scripts/{path.name}" in done.stdout
    assert os.access(path, os.X_OK)


@pytest.mark.parametrize("name", ["build_images.sh", "check_port.sh", "generate_ssh_keys.sh"])
def test_an_unknown_argument_is_refused(name):
    assert script(name, "--nonsense").returncode == 2


@pytest.mark.parametrize("name,command", [("verify_security.sh", "verify"), ("cleanup.sh", "cleanup")])
def test_covers_pass_everything_on_and_the_status_back(name, command, folder):
    fake = folder / "sandtrap"
    fake.write_text('#!/bin/sh\nprintf "<%s>" "$@"\nexit 7\n')
    fake.chmod(0o755)
    done = script(name, "--config", "a b.yaml", "--dry-run", program=fake)
    assert done.stdout == f"<{command}><--config><a b.yaml><--dry-run>" and done.returncode == 7


def test_cleanup_without_anything_to_do(folder):
    (folder / "config.yaml").write_text(f"data_dir: {folder}/data\nrun_dir: {folder}/run\n")
    if "cleanup" not in m.run(PROGRAM, "--help").stdout:
        pytest.skip("this program has no `sandtrap cleanup`")
    (folder / "data").mkdir()
    for _ in range(2):
        done = script("cleanup.sh", "--config", folder / "config.yaml", "--older-than", "30d", "--dry-run")
        assert done.returncode == 0, done.stdout


def test_host_keys_are_made_once(folder):
    keys = folder / "keys"
    dry = script("generate_ssh_keys.sh", "--dir", keys, "--dry-run")
    assert dry.returncode == 0 and "would run" in dry.stdout and not keys.exists()
    first = script("generate_ssh_keys.sh", "--dir", keys)
    assert first.returncode == 0, first.stdout
    made = {path.name: path.read_bytes() for path in keys.iterdir()}
    assert len(made) == 6 and (keys / "ssh_host_ed25519_key").stat().st_mode & 0o777 == 0o600
    again = script("generate_ssh_keys.sh", "--dir", keys)
    assert again.returncode == 0 and "kept" in again.stdout
    assert made == {path.name: path.read_bytes() for path in keys.iterdir()}
    assert script("generate_ssh_keys.sh", "--dir", keys, "--force").returncode == 0
    assert all(made[name] != (keys / name).read_bytes() for name in made)
    assert script("generate_ssh_keys.sh", "--dir", "/proc/nowhere").returncode == 1


def test_the_images_script_says_what_it_would_do():
    online = script("build_images.sh", "--dry-run")
    assert online.returncode == 0 and "containers/targets/ubuntu/Dockerfile" in online.stdout
    assert "mmdebstrap" not in online.stdout
    offline = script("build_images.sh", "--dry-run", "--offline")
    assert offline.returncode == 0 and "containers/targets/debian/Dockerfile" in offline.stdout
    assert "RUNTIME_BASE=sandtrap-base:debian-12" in offline.stdout
    assert script("build_images.sh", "--offline", "--guest", "ubuntu-22.04").returncode == 2
    assert script("build_images.sh", "--guest", "hurd").returncode == 2


# check_port.sh, in a network of its own. What sshd says does not matter: PATH holds another one.
LISTEN = """
import socket, subprocess, sys
held = []
for port in sys.argv[2:]:
    one = socket.socket()
    one.bind(("127.0.0.1", int(port)))
    one.listen()
    held.append(one)
done = subprocess.run(sys.argv[1].split())
sys.exit(done.returncode)
"""


def check_port(folder, *words, ports=(), sshd_port="22022", name="python3"):
    sshd = folder / "sshd"
    sshd.write_text(f"#!/bin/sh\necho port {sshd_port}\n")
    sshd.chmod(0o755)
    (folder / "run").mkdir()
    listener = folder / "run" / name  # the name that ss shows
    shutil.copy("/usr/bin/python3", listener)
    command = " ".join(["/bin/sh", str(SCRIPTS / "check_port.sh"), *words])
    return m.run("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", listener, "-c", LISTEN, command,
                 *ports, check=False, env=dict(os.environ, PATH=f"{folder}:{os.environ['PATH']}"))


def test_a_free_port_beside_an_sshd_elsewhere(folder):
    done = check_port(folder, ports=["22022"], name="sshd")
    assert done.returncode == 0 and "port 22 is free" in done.stdout, done.stdout


def test_a_free_port_without_another_way_in(folder):
    done = check_port(folder, ports=["8080"])
    assert done.returncode == 1 and "no sshd listens on any port" in done.stdout


def test_a_free_port_of_a_machine_administered_otherwise(folder):
    assert check_port(folder, "--no-sshd").returncode == 0


def test_a_port_that_sshd_holds(folder):
    done = check_port(folder, ports=["22", "22022"], name="sshd")
    assert done.returncode == 1 and "own sshd listens on port 22" in done.stdout


def test_a_port_that_another_program_holds(folder):
    done = check_port(folder, "--no-sshd", ports=["22"], name="otherd")
    assert done.returncode == 1 and "otherd listens on port 22" in done.stdout


def test_an_sshd_that_would_take_it_at_its_next_start(folder):
    done = check_port(folder, "--no-sshd", sshd_port="22")
    assert done.returncode == 1 and "still names port 22" in done.stdout


def test_a_port_that_sandtrap_has(folder):
    done = check_port(folder, "--port", "2222", ports=["2222"], name="sandtrap")
    assert done.returncode == 0 and "SandTrap has port 2222" in done.stdout

