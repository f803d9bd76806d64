"""Clients other than OpenSSH's."""
import shutil
import subprocess

import asyncssh
import paramiko
import pytest

SOURCE = "127.0.0.1"


def need(program):
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")


def test_paramiko(pot):
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    client.connect("127.0.0.1", pot.port, "root", "letmein", allow_agent=False, look_for_keys=False)
    _, stdout, stderr = client.exec_command("echo out; echo err >&2; exit 3")
    assert stdout.read() == b"out\n" and stderr.read() == b"err\n"
    assert stdout.channel.recv_exit_status() == 3
    sftp = client.open_sftp()
    with sftp.open("/tmp/paramiko", "w") as file:
        file.write("x" * 100000)
    assert sftp.stat("/tmp/paramiko").st_size == 100000
    client.close()


def test_asyncssh(pot):
    import asyncio

    async def work():
        async with asyncssh.connect("127.0.0.1", pot.port, username="root", password="letmein", known_hosts=None,
                                    client_keys=None) as connection:
            result = await connection.run("echo out; exit 4")
            return result.stdout, result.exit_status
    assert asyncio.run(work()) == ("out\n", 4)


def test_dropbear(pot):
    need("dbclient")
    done = subprocess.run(["sshpass", "-p", "letmein", "dbclient", "-y", "-y", "-p", str(pot.port), "root@127.0.0.1", "echo out; exit 5"],
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    assert (done.stdout, done.returncode) == (b"out\n", 5), done


def test_putty(pot, tmp_path):
    need("plink")
    key = subprocess.run(["ssh-keygen", "-lf", str(pot.data / "keys" / "ssh_host_ed25519_key.pub")], capture_output=True, text=True)
    fingerprint = key.stdout.split()[1]
    done = subprocess.run(["plink", "-batch", "-hostkey", fingerprint, "-P", str(pot.port), "-pw", "letmein", "root@127.0.0.1",
                           "echo out; exit 6"], stdin=subprocess.DEVNULL, capture_output=True, timeout=30,
                          env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
    assert (done.stdout, done.returncode) == (b"out\n", 6), done
