#!/usr/bin/python3
"""Compares SandTrap with a real sshd on this machine: every probe to both, answers must be equal.

Usage: compare.py [--only SUBSTRING] [--plain|--session] [--binary FILE] [--verbose]
The real daemon runs twice; where the two differ from each other, either answer is right.
"""
import argparse
import collections
import concurrent.futures
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
import honeypot as hp  # noqa: E402
import normal  # noqa: E402
import plain_probes  # noqa: E402
import session_probes  # noqa: E402
import wire  # noqa: E402


class Sshd:
    """Debian's sshd, default settings but for the port and for who may log in."""

    def __init__(self, base):
        self.base, self.port = base, hp.free_port()
        base.mkdir()
        pathlib.Path("/run/sshd").mkdir(exist_ok=True)
        for kind, bits in (("rsa", "3072"), ("ecdsa", "256"), ("ed25519", "256")):
            subprocess.run(["ssh-keygen", "-q", "-t", kind, "-b", bits, "-N", "", "-f", base / f"host_{kind}"], check=True)
        (base / "config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nPidFile none\nUsePAM yes\nKbdInteractiveAuthentication no\n"
            f"StrictModes no\nPermitRootLogin yes\nMaxStartups 500\nAuthorizedKeysFile {base.parent}/user.pub\nAcceptEnv LANG LC_*\n"
            "PrintMotd no\nX11Forwarding yes\nSubsystem sftp /usr/lib/openssh/sftp-server\n"
            + "".join(f"HostKey {base}/host_{k}\n" for k in ("rsa", "ecdsa", "ed25519")))
        self.process = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", str(base / "config")], stderr=subprocess.DEVNULL)
        hp.wait_until(self.answers, 10, "sshd")

    def answers(self):
        try:
            wire.Wire(self.port).close()
            return True
        except OSError:
            return False

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


def run_plain(port, steps):
    connection = wire.Wire(port, idle=0.35)
    connection.collect(2, until=lambda w: b"\n" in w.received)
    for step in steps:
        if step == "EOF":
            connection.half_close()
        elif isinstance(step, float):
            connection.collect(step)
        else:
            connection.send(step)
    connection.collect()
    answer = normal.plain(connection.received) + [connection.end]
    connection.close()
    return answer


def run_session(port, probe, key):
    client = wire.Client(port, idle=0.3)
    client.packets.clear()
    try:
        probe(client, key)
    except EOFError:
        pass
    answer = normal.session(client.packets) + [client.wire.end]
    client.close()
    return answer


def judge(name, run, ports, rounds=3):
    """None if SandTrap's answer is one that the real daemon gives, else the two sides."""
    real, ours = collections.Counter(), None
    for _ in range(rounds):
        for port in ports[:2]:
            real[tuple(run(port))] += 1
        ours = tuple(run(ports[2]))
        if ours in real:
            return None
    return name, real, ours


def show(difference):
    name, real, ours = difference
    print(f"--- {name}")
    for answer, times in real.items():
        for line in answer:
            print(f"  sshd     {line[:400]}" + (f"  (x{times})" if line == answer[-1] else ""))
    for line in ours:
        print(f"  sandtrap {line[:400]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="")
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--session", action="store_true")
    parser.add_argument("--engine", default="oci")
    parser.add_argument("--jobs", type=int, default=8)
    args = parser.parse_args()
    base = pathlib.Path(tempfile.mkdtemp(prefix="sandtrap-fidelity-"))
    base.chmod(0o755)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", base / "user"], check=True)
    key = wire.load_key(base / "user")
    daemons = [Sshd(base / "a"), Sshd(base / "b")]
    # One takes every key, as the daemons take that of the sessions; one takes none, as they take no other.
    pots = {keys: hp.Honeypot(args.engine, size=2, max_total=8, delay="1500ms") for keys in ("accept", "refuse")}
    for keys, pot in pots.items():
        pot.config.write_text(pot.config.read_text().replace("authentication:\n", f"authentication:\n  public_keys: {keys}\n"))
        pot.start()
    ports = {keys: [daemons[0].port, daemons[1].port, pot.port] for keys, pot in pots.items()}
    work = []
    if not args.session:
        work += [(name, lambda port, steps=steps: run_plain(port, steps)) for name, steps in plain_probes.all_probes()]
    if not args.plain:
        work += [(name, lambda port, probe=probe: run_session(port, probe, key)) for name, probe in session_probes.all_probes()]
    work = [(name, run) for name, run in work if args.only in name]
    began = time.monotonic()
    try:
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            tried = pool.map(lambda item: judge(*item, ports["refuse" if " query" in item[0] else "accept"]), work)
            differences = [d for d in tried if d]
    finally:
        for pot in pots.values():
            pot.stop(signal.SIGTERM)
        for daemon in daemons:
            daemon.stop()
        for pot in pots.values():
            pot.remove()
        shutil.rmtree(base, ignore_errors=True)
    for difference in differences:
        show(difference)
    print(f"{len(work)} probes, {len(differences)} differences, {time.monotonic() - began:.0f} s")
    return 1 if differences or not work else 0


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    sys.exit(main())
