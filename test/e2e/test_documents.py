"""What the documents tell to type works: every command and every configuration in them is tried here, or stands in
ELSEWHERE with what tries it, or why nothing can. A block of a document says what it is: sh, console, yaml, json, text."""
import re
import shutil
import subprocess
import sys

import pytest
from honeypot import BINARY, ROOT, Honeypot

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "guest/README.md"])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.S | re.M)
SYNOPSIS = re.compile(r"\[-|\b[A-Z]{2,}\b(?!=)|\w\|\w")  # with placeholders: what there is to type, not one thing to type
ELSEWHERE = {
    r"make (run|test|deb|check|format)\b": "`.ci/run` is make test; the others: test/roads, tools/check-*",
    r"make deb && apt-get install|apt-get install \./build|sandtrap image build|systemctl (enable|restart)|sshd -t|printf 'Port":
        "test/roads/test_debian.py, in a machine of its own",
    r"sandtrap serve|sudo build/dev/sandtrap serve": "every end-to-end test",
    r"/usr/share/sandtrap/scripts/|scripts/": "test/roads",
    r"docker[ -]compose ": "test/roads/test_compose.py",
    r"docker (diff|export) ": "needs an attacker's machine of the engine: test_cases.py looks into one",
    r"tools/|ctest |test/fidelity/|bench/run|build/dev/": "the steps of .ci/run and tools/test",
}
CONFIGURED = ("serve", "listen", "verify", "policy", "case", "cases", "sandbox", "cleanup", "status", "doctor", "sessions")


def blocks(*kinds):
    for document in DOCUMENTS:
        for number, (kind, text) in enumerate(FENCE.findall(document.read_text())):
            if kind in kinds:
                yield pytest.param(text, id=f"{document.relative_to(ROOT)}:{number}")


def commands():
    for block in blocks("sh"):
        for line in block.values[0].replace("\\\n", " ").splitlines():
            command = re.split(r"(?:^|\s)# ", line)[0].strip()
            if command:
                yield pytest.param(command, id=f"{block.id} {command[:60]}")


def elsewhere(command):
    return next((why for pattern, why in ELSEWHERE.items() if re.match(pattern, command)), None)


@pytest.fixture(scope="module")
def visited():
    """A honeypot that has had one visitor, and a folder in which the documents' names mean it."""
    pot = Honeypot("oci", size=1).start()
    assert pot.ssh("uname").returncode == 0
    (pot.base / "events.jsonl").symlink_to(pot.data / "events.jsonl")
    program = pot.base / "bin/sandtrap"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nimport os, sys\nwords = sys.argv[1:]\n"
                       f"words = [word.replace('/etc/sandtrap/config.yaml', '{pot.config}') for word in words]\n"
                       f"more = ['--config', '{pot.config}'] if words[0] in {CONFIGURED} and '--config' not in words else []\n"
                       f"os.execv('{BINARY}', ['sandtrap', *words, *more])\n")
    program.chmod(0o755)
    yield pot
    pot.stop()
    pot.remove()


def shell(pot, command):
    command = re.sub(r"^ssh -p 2222", " ".join(["sshpass -p letmein ssh", *pot.ssh_options(), "-p", str(pot.port)]), command)
    return subprocess.run(["sh", "-c", command], cwd=pot.base, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=120, env={"PATH": f"{pot.base}/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(pot.base),
                                            "LC_ALL": "C.UTF-8"})


@pytest.mark.parametrize("document", [pytest.param(d, id=str(d.relative_to(ROOT))) for d in DOCUMENTS])
def test_every_block_says_what_it_is(document):
    text = document.read_text()
    fences = re.findall(r"^```(\w*)$", text, re.M)
    assert not [kind for kind in fences[::2] if kind not in ("sh", "console", "yaml", "json", "text")], document
    assert len(fences) % 2 == 0 and not any(fences[1::2]), document


def test_the_architecture_names_every_folder():
    text = (ROOT / "docs/architecture.md").read_text()
    missing = [f.name for f in (ROOT / "src").iterdir() if f.is_dir() and not re.search(rf"^(\w+ +)*{f.name}\b", text, re.M)]
    assert not missing, missing


@pytest.mark.parametrize("document", [pytest.param(d, id=str(d.relative_to(ROOT))) for d in DOCUMENTS])
def test_links_lead_somewhere(document):
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", document.read_text())
    assert not [link for link in links if not (document.parent / link).exists()]


@pytest.mark.parametrize("command", commands())
def test_commands(command, visited):
    if elsewhere(command):
        return
    assert SYNOPSIS.search(command) is None or command.startswith(("sandtrap ", "jq ")), f"who tries this? {command}"
    if command.startswith("sandtrap ") and SYNOPSIS.search(command):
        return synopsis(command, visited)
    done = shell(visited, command)
    assert done.returncode == 0, done


def synopsis(command, pot):
    """Its subcommands exist, and know the options."""
    words = command.split()
    options = re.findall(r"--[a-z-]+", command)
    path = [word for word in words[1:] if re.fullmatch(r"[a-z|-]+", word) and not word.startswith("-")]
    for names in alternatives(path):
        done = shell(pot, "sandtrap " + " ".join(names) + " --help") if names else None
        if done is None or done.returncode != 0:  # the last word may be a value
            done = shell(pot, "sandtrap " + " ".join(names[:-1]) + " --help")
        assert done.returncode == 0, done
        for option in options:
            assert re.search(rf"{option}\b", done.stdout), f"{' '.join(names)} knows no {option}"


def alternatives(path):
    if not path:
        return [[]]
    return [[first, *rest] for first in path[0].split("|") for rest in alternatives(path[1:])]


@pytest.mark.parametrize("text", blocks("console"))
def test_consoles(text, visited):
    """`$ command`, and what it prints, to the letter."""
    command, _, printed = text.removeprefix("$ ").partition("\n")
    done = subprocess.run(command.replace("sandtrap", str(BINARY), 1).split(), capture_output=True, text=True, timeout=60,
                          cwd=visited.base)
    assert done.stdout == printed, done


@pytest.mark.parametrize("text", blocks("yaml"))
def test_configurations(text, tmp_path):
    """What stands there is accepted, as it is or as the inside of its section."""
    shutil.copy(ROOT / "personas/debian-12.yaml", tmp_path / "my-persona.yaml")
    text = text.replace("/etc/sandtrap/my-persona.yaml", str(tmp_path / "my-persona.yaml"))
    inside = "authentication:\n" + re.sub(r"^", "  ", text, flags=re.M)
    config = tmp_path / "config.yaml"
    answers = []
    for whole in (text, inside):
        config.write_text(whole)
        answers.append(subprocess.run([BINARY, "check", config], capture_output=True, text=True, timeout=30))
    assert any(answer.returncode == 0 for answer in answers), answers
