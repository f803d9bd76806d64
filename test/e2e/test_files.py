"""scp, scp -O and sftp move a tree byte-exactly, through the guest's own programs."""
import filecmp
import os
import subprocess

import pytest

SOURCE = "127.0.3.1"


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("tree") / "payload"
    (root / "deep" / "er").mkdir(parents=True)
    (root / "empty").write_bytes(b"")
    (root / "text with blanks").write_text("hällo\n")
    (root / "deep" / "binary").write_bytes(os.urandom(3_000_001))
    (root / "deep" / "er" / "script.sh").write_text("#!/bin/sh\necho ran\n")
    os.chmod(root / "deep" / "er" / "script.sh", 0o755)
    return root


def same(left, right):
    compared = filecmp.dircmp(left, right)
    assert not compared.left_only and not compared.right_only and not compared.funny_files
    _, mismatch, errors = filecmp.cmpfiles(left, right, compared.common_files, shallow=False)
    assert not mismatch and not errors
    for name in compared.common_dirs:
        same(left / name, right / name)


def run(pot, *words, stdin=None):
    done = subprocess.run(["sshpass", "-p", "letmein", *words], input=stdin, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("mode", [(), ("-O",)], ids=["sftp-mode", "scp-mode"])
def test_scp(pot, tree, tmp_path, mode):
    target = f"/tmp/up{''.join(mode)}"
    options = [*mode, "-r", "-P", str(pot.port), *pot.ssh_options(SOURCE)]
    run(pot, "scp", *options, str(tree), f"root@127.0.0.1:{target}")
    run(pot, "scp", *options, f"root@127.0.0.1:{target}", str(tmp_path / "back"))
    same(tree, tmp_path / "back")
    assert pot.ssh(f"{target}/deep/er/script.sh", source=SOURCE).stdout == b"ran\n"


def test_sftp(pot, tree, tmp_path):
    batch = f"put -r {tree} /tmp/sftp\nget -r /tmp/sftp {tmp_path}/back\n".encode()
    run(pot, "sftp", "-oBatchMode=no", *pot.ssh_options(SOURCE), "-P", str(pot.port), "-b", "-", "root@127.0.0.1",
        stdin=batch)
    same(tree, tmp_path / "back")
