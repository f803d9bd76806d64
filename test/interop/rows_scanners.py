"""What tools find out: ssh-audit, nmap's scripts, password guessers."""
import json
import re

from rows import WRONG, row
from servers import GUESSES

PACKAGE = re.compile(r"deb12u\d+")


def plain(text):
    return PACKAGE.sub("deb12uN", re.sub(r"\x1b\[[0-9;]*m", "", text))


@row("scanners", "ssh-audit", "the whole report", "every line", stdout=re.compile("# key exchange algorithms"))
def ssh_audit(side):
    done = side.program(["ssh-audit", "-p", side.port, "127.0.0.1"])
    return {**done, "stdout": plain(done["stdout"])}


@row("scanners", "ssh-audit", "JSON", "every field, HASSH-like fingerprints of the host keys too", stdout=re.compile('"kex"'))
def ssh_audit_json(side):
    done = side.program(["ssh-audit", "-j", "-p", side.port, "127.0.0.1"])
    report = json.loads(done["stdout"])
    report["target"] = "masked"
    return {**done, "stdout": plain(json.dumps(report, indent=1, sort_keys=True))}


def nmap(side, script, *arguments):
    words = ["--script-args", ",".join(arguments)] if arguments else []
    done = side.program(["nmap", "-n", "-Pn", "-sT", "--disable-arp-ping", "-p", side.port, "--script", script, *words, "-oN", "-", "127.0.0.1"], timeout=120)
    lines = [line for line in plain(done["stdout"]).splitlines() if not re.match(r"# Nmap|Host is up|Starting Nmap|Nmap done|Stats:", line)]
    lines = [re.sub(r"^(PORT/tcp +\w+) .*", r"\1 SERVICE", line) for line in lines]  # a guess from the number
    return {"exit": done["exit"], "stderr": done["stderr"], "stdout": re.sub(r"Performed \d+ guesses in \d+ seconds, average tps: [\d.]+", "GUESSES", "\n".join(lines))}


@row("scanners", "nmap", "ssh2-enum-algos", "every line", stdout=re.compile("kex_algorithms"))
def enum_algos(side):
    return nmap(side, "+ssh2-enum-algos")


@row("scanners", "nmap", "ssh-hostkey", "every line", stdout=re.compile("ssh-ed25519"))
def hostkey(side):
    return nmap(side, "+ssh-hostkey", "ssh_hostkey=full")


@row("scanners", "nmap", "ssh-auth-methods", "every line", stdout=re.compile("password"))
def auth_methods(side):
    return nmap(side, "+ssh-auth-methods", "ssh.user=root")


@row("scanners", "nmap", "sshv1, banner, version detection (-sV)", "every line", stdout=re.compile("OpenSSH"))
def version(side):
    done = side.program(["nmap", "-n", "-Pn", "-sT", "-sV", "-p", side.port, "--script", "+sshv1,+banner", "127.0.0.1"], timeout=120)
    lines = [line for line in plain(done["stdout"]).splitlines() if re.match(r"PORT|\||Service Info", line)]
    return {"exit": done["exit"], "stdout": "\n".join(lines)}


def guesses(side, words=GUESSES):
    return side.file("words", "".join(f"{word}\n" for word in words).encode())


def found(text):
    """Which passwords a guesser says are right, however it says so."""
    return [word for word in GUESSES if re.search(rf"(password: |Password: |'admin' '|admin:){re.escape(word)}\b", text)]


@row("scanners", "nmap", "ssh-brute, the third password is right", "what is found", strict=True, found=[GUESSES[2]])
def nmap_brute(side):
    users = side.file("users", b"admin\n")
    done = nmap(side, "+ssh-brute", f"userdb={users},passdb={guesses(side)}", "brute.threads=1,brute.start=1,brute.mode=user,brute.firstonly=true")
    return {"exit": done["exit"], "found": found(done["stdout"])}


@row("scanners", "hydra", "the third password is right", "what is found, exit status", strict=True, exit=0, found=[GUESSES[2]])
def hydra(side):
    done = side.program(["hydra", "-I", "-t", "1", "-l", "admin", "-P", guesses(side), "-s", side.port, "ssh://127.0.0.1"], timeout=120)
    return {"exit": done["exit"], "found": found(done["stdout"]), "summary": re.findall(r"\d+ of \d+ target.*", done["stdout"])}


@row("scanners", "hydra", "no password is right", "what is found, exit status", exit=re.compile("."), found=[])
def hydra_none(side):
    done = side.program(["hydra", "-I", "-t", "1", "-l", "root", "-p", WRONG, "-s", side.port, "ssh://127.0.0.1"], timeout=120)
    return {"exit": done["exit"], "found": found(done["stdout"]), "summary": re.findall(r"\d+ of \d+ target.*", done["stdout"])}


@row("scanners", "medusa", "the third password is right", "what is found, exit status", strict=True, exit=0, found=[GUESSES[2]])
def medusa(side):
    done = side.program(["medusa", "-h", "127.0.0.1", "-n", side.port, "-u", "admin", "-P", guesses(side), "-M", "ssh", "-t", "1", "-f"], timeout=120)
    return {"exit": done["exit"], "found": found(done["stdout"].split("ACCOUNT FOUND")[-1]), "lines": re.findall(r"ACCOUNT.*", done["stdout"])}


@row("scanners", "ncrack", "the third password is right", "what is found, exit status", strict=True, exit=0, found=[GUESSES[2]])
def ncrack(side):
    done = side.program(["ncrack", "--user", "admin", "-P", guesses(side), "-f", f"ssh://127.0.0.1:{side.port},cl=1,CL=1,at=1"], timeout=120)
    return {"exit": done["exit"], "found": found(done["stdout"]), "stderr": done["stderr"],
            "stdout": re.sub(r"scanned in [\d.]+ seconds|^Starting.*", "", done["stdout"].strip())}
