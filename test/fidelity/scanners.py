"""What the usual scanners print of both servers, host key material aside."""
import re
import subprocess


def ssh_audit(port):
    run = subprocess.run(["ssh-audit", "-n", "-p", str(port), "127.0.0.1"], capture_output=True, text=True, timeout=120, check=False)
    text = run.stdout.replace(f":{port}", ":PORT")
    # Fingerprints differ from installation to installation.
    return re.sub(r"SHA256:[A-Za-z0-9+/=]+|MD5:[0-9a-f:]+", "<fingerprint>", text)


def nmap(port):
    run = subprocess.run(["nmap", "-Pn", "-n", "-sV", "--version-all", "-p", str(port), "--script", "ssh2-enum-algos,ssh-hostkey,ssh-auth-methods",
                          "--script-args", "ssh_hostkey=full", "127.0.0.1"], capture_output=True, text=True, timeout=300, check=False)
    out = []
    for line in run.stdout.replace(f"{port}/tcp", "PORT/tcp").splitlines():
        if line.startswith(("Starting Nmap", "Nmap done", "Nmap scan report", "Host is up", "Service detection")):
            continue
        line = re.sub(r"(ssh-rsa|ecdsa-sha2-nistp256|ssh-ed25519) A[A-Za-z0-9+/=]+", r"\1 <key>", line)
        line = re.sub(r"[0-9a-f]{2}(:[0-9a-f]{2}){15}|[0-9a-f]{32}", "<fingerprint>", line)
        out.append(re.sub(r" +", " ", line))  # columns are as wide as the port number
    return "\n".join(in_order(out))


def in_order(lines):
    """The results of the scripts by name: nmap prints them as they finish."""
    blocks = [[]]
    for line in lines:
        if re.match(r"\|_? ?ssh", line) or not line.startswith("|"):
            blocks.append([])
        blocks[-1].append(line.replace("|_", "| "))
    scripts = sorted(b for b in blocks if b and b[0].startswith("| ssh"))
    return [line for b in blocks if b not in scripts for line in b] + [line for b in scripts for line in re.sub(r" +", " ", "\n".join(b)).splitlines()]


def differences(ports):
    for name, run in (("ssh-audit", ssh_audit), ("nmap", nmap)):
        real, ours = run(ports[0]), run(ports[2])
        good = real == ours and len(real.splitlines()) > 10
        text = f"{name}: {len(real.splitlines())} lines of output"
        if not good:
            text += f"\n--- sshd\n{real}\n--- SandTrap\n{ours}"
        yield text, good
