"""docs/interoperability.md, made from the rows."""
import pathlib
import subprocess

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "interoperability.md"
VERSIONS = "## Versions\n"
PACKAGES = ("openssh-server", "openssh-client", "dropbear-bin", "putty-tools", "curl", "libssh2-1", "python3-twisted", "python3-paramiko", "python3-asyncssh",
            "libssh-4", "golang-golang-x-crypto-dev", "libjsch-java", "libnet-ssh2-perl", "ssh-audit", "nmap", "hydra", "medusa", "ncrack")
HEAD = """# Interoperation

Each row is one client doing one thing twice: with Debian 12's sshd and with SandTrap. Green (✓) means that the
real daemon did what the row needs, and that its client could see no difference: exit status, outputs and error texts,
every byte of every file, and the algorithms agreed on, read from the wire. What is masked: ports, and file names of the test.

`make interop` runs all rows and writes this file; the tests (`interop.*` in CTest) run them too and fail when the
rows here are not those of the test. The programs are `test/interop`.

SandTrap contacts no other machine, so in the rows on forwarding sshd is asked for a closed port, or to listen
on its own.
The machine it shows has no xauth(1); sshd is configured to have none either.
"""
MISSING = """## Clients that Debian 12 does not have

No package, so no row: WinSCP, Bitvise, SSH.NET, Apache MINA SSHD, russh and wolfSSH.
"""


def version(package):
    done = subprocess.run(["dpkg-query", "-W", "-f=${Version}", package], capture_output=True, text=True, check=True)
    return done.stdout


def escaped(text):
    return text.replace("|", "\\|")


def matrix(rows):
    out = []
    for client in dict.fromkeys(row.client for row in rows):
        mine = [row for row in rows if row.client == client]
        out += ["", f"## {client}", "", "| what it does | what is compared | as with sshd |", "|---|---|---|"]
        out += [f"| {escaped(row.feature)} | {escaped(row.compared)} | ✓ |" for row in mine]
    return "\n".join(out) + "\n"


def text(rows):
    clients = len({row.client for row in rows})
    count = f"\n{len(rows)} rows, {clients} clients, all green.\n"
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    return f"{HEAD}{count}{matrix(rows)}\n{MISSING}\n{VERSIONS}\nOf the last run: {versions}.\n"


def is_current(rows):
    """Versions aside, which change without us."""
    return DOCUMENT.exists() and DOCUMENT.read_text().split(VERSIONS)[0] == text(rows).split(VERSIONS)[0]
