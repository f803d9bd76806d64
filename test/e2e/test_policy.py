"""Login rules decide, over the wire and by `sandtrap policy test`."""
import subprocess

import paramiko
import pytest

import honeypot as hp

RULES = """\
  rules:
    - {name: lab, source: 127.0.9.0/24, action: deny}
    - {name: digits, user: admin, password_regex: "[0-9]{4,6}", action: allow}
    - {name: open, user: guest, method: none, action: allow}
    - {name: keys, user: root, key_type: ssh-ed25519, action: allow}
"""


@pytest.fixture(scope="module")
def ruled():
    pot = hp.Honeypot("oci", size=1)
    text = pot.config.read_text()
    pot.config.write_text(text.replace("authentication:\n", "authentication:\n" + RULES, 1))
    pot.start()
    yield pot
    pot.stop()
    pot.remove()


def transport(pot, source):
    sock = hp.socket.socket()
    sock.bind((source, 0))
    sock.connect(("127.0.0.1", pot.port))
    out = paramiko.Transport(sock)
    out.start_client(timeout=20)
    return out


def decided(pot, source):
    return [(e["event"], e["decided_by"]) for e in pot.events()
            if e.get("source_ip") == source and e["event"].startswith("login.") and "decided_by" in e]


def run(client, command):
    channel = client.open_session()
    channel.exec_command(command)
    return channel.makefile().read().strip()


def test_none_lets_in_where_a_rule_says_so(ruled):
    client = transport(ruled, "127.0.8.1")
    client.auth_none("guest")
    assert client.is_authenticated()
    assert run(client, "id -un") == b"guest"
    client.close()
    assert ("login.succeeded", "rule:open") in decided(ruled, "127.0.8.1")


def test_none_refused_still_lists_the_methods(ruled):
    client = transport(ruled, "127.0.8.2")
    with pytest.raises(paramiko.BadAuthenticationType) as refused:
        client.auth_none("root")
    assert refused.value.allowed_types == ["publickey", "password"]
    client.close()


def test_a_key_lets_in_by_its_type_and_no_password_is_needed(ruled, tmp_path):
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    done = subprocess.run(
        ["ssh", "-o", "PubkeyAuthentication=yes", "-o", "PreferredAuthentications=publickey",
         *ruled.ssh_options("127.0.8.3"), "-i", key, "-p", str(ruled.port),
         "root@127.0.0.1", "id -u"], capture_output=True, timeout=60)
    assert done.stdout == b"0\n", done.stderr
    assert ("login.succeeded", "rule:keys") in decided(ruled, "127.0.8.3")


def test_rules_by_source_and_expression(ruled):
    assert ruled.ssh("true", source="127.0.9.1", password="letmein").returncode == 255
    assert ("login.failed", "rule:lab") in decided(ruled, "127.0.9.1")
    client = transport(ruled, "127.0.8.4")
    client.auth_password("admin", "12345")
    assert client.is_authenticated()
    client.close()
    assert ("login.succeeded", "rule:digits") in decided(ruled, "127.0.8.4")


def test_policy_test_says_the_same(ruled):
    def ask(*arguments):
        done = subprocess.run([hp.BINARY, "policy", "test", "--config", ruled.config, *arguments],
                              capture_output=True, text=True, timeout=20)
        return done.returncode, done.stdout

    assert ask("admin", "12345")[0] == 0
    code, text = ask("--source", "127.0.9.1", "admin", "12345")
    assert code == 1 and "rule:lab" in text and "refuses" in text
    code, text = ask("--tries", "4", "oracle", "x")
    assert code == 0 and "try 3    let in   accept_after_failures" in text and "returning" in text
    assert ask("--source", "nonsense", "root", "x")[0] == 2


def test_a_bad_expression_is_refused_with_its_place(tmp_path):
    config = tmp_path / "bad.yaml"
    config.write_text("authentication:\n  rules:\n    - {action: deny, user_regex: \"a**\"}\n")
    done = subprocess.run([hp.BINARY, "check", config], capture_output=True, text=True, timeout=20)
    assert done.returncode == 78
    assert "bad.yaml:3:36: authentication.rules[1]: user_regex: bad repetition operator" in done.stderr
