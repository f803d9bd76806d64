"""One attacker, one machine: over many connections, frozen, put away, and after a crash.

The crowd of the last test is 300 cases with room for 50 (oci), 40 with room for 8 (docker), or what SANDTRAP_E2E_CASES
and SANDTRAP_E2E_ROOM say.
"""
import json
import os
import subprocess
import tarfile
import threading
import time

import honeypot as hp

GROWING = ("nohup sh -c 'while :; do echo x >> /var/tmp/grows; sleep 0.1; done' > /dev/null 2>&1 & "
           "echo $!")
LONG = "1h"


def cli(pot, *args, check=0):
    words = 2 if args[0] == "sandbox" else 1  # of the subcommand
    done = subprocess.run([str(hp.BINARY), *args[:words], "--config", str(pot.config), *args[words:]],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == check, done.stderr + done.stdout
    return done.stderr if check else done.stdout


def run(pot, command, **options):
    done = pot.ssh(command, **options)
    assert done.returncode == 0, done.stderr.decode() + pot.text()
    return done.stdout.decode()


def case_of(pot):
    return pot.events("login.succeeded")[-1]["case"]


def test_who_returns_soon_finds_his_processes(fresh):
    pot = fresh(size=1, linger="60s", keep=LONG)
    pid = run(pot, GROWING).strip()
    before = int(run(pot, "wc -l < /var/tmp/grows"))
    hp.wait_until(lambda: int(run(pot, f"kill -0 {pid} && wc -l < /var/tmp/grows")) > before, 20, "it goes on")
    assert len({e["sandbox"] for e in pot.events("sandbox.claimed")}) == 1
    # Another attacker sees nothing of it.
    assert "grows" not in run(pot, "ls /var/tmp; ps ax", source="127.0.0.9")
    assert len({e["sandbox"] for e in pot.events("sandbox.claimed")}) == 2


def test_who_returns_later_finds_them_going_on(fresh):
    pot = fresh(size=1, linger="1s", keep=LONG)
    pid = run(pot, GROWING).strip()
    pot.wait_event("sandbox.frozen", 20)
    case = case_of(pot)
    shown = json.loads(cli(pot, "case", "show", case, "--json"))
    assert shown["sandbox"]["state"] == "frozen" and shown["sandbox"]["bytes"] > 0
    before = int(run(pot, f"kill -0 {pid} && wc -l < /var/tmp/grows"))
    thawed = pot.wait_event("sandbox.thawed", 5)
    assert thawed["case"] == case
    hp.wait_until(lambda: int(run(pot, "wc -l < /var/tmp/grows")) > before, 20, "it goes on")
    assert len({e["sandbox"] for e in pot.events("sandbox.claimed")}) == 1


def test_who_returns_late_finds_his_files(fresh):
    pot = fresh(size=1, linger="0s", keep="1s")
    first = run(pot, "echo mine > /root/left; hostname; cat /etc/machine-id")
    pot.wait_event("sandbox.preserved", 30)
    assert run(pot, "cat /root/left") == "mine\n"
    pot.wait_event("sandbox.restored", 5)
    for _ in range(2):  # and again
        count = len(pot.events("sandbox.preserved"))
        hp.wait_until(lambda: len(pot.events("sandbox.preserved")) > count, 30, "put away once more")
        assert run(pot, "cat /root/left; hostname; cat /etc/machine-id") == "mine\n" + first


def test_a_crash_of_everything_changes_nothing(fresh):
    pot = fresh(size=1, linger="300s", keep=LONG, accept_after=2)
    for password, code in (("wrong1", 255), ("wrong2", 255), ("found-it", 0)):
        assert pot.ssh(GROWING, password=password).returncode == code
    pid_count = int(run(pot, "wc -l < /var/tmp/grows", password="found-it"))
    case, sandbox = case_of(pot), pot.events("sandbox.claimed")[-1]["sandbox"]
    hp.wait_until(lambda: json.loads(cli(pot, "case", "show", case, "--json"))["sandbox"]["id"] == sandbox, 10, "saved")
    pot.kill_all()
    pot.process.wait(10)
    # The casebook alone tells it, with nobody running.
    shown = json.loads(cli(pot, "case", "show", case, "--json"))
    assert shown["earned"][0]["password"] == "found-it"
    assert cli(pot, "case", "freeze", case, check=1).find("no sandtrap is running") > 0
    pot.start()
    assert pot.ssh("true", password="not-it").returncode == 255
    assert int(run(pot, "wc -l < /var/tmp/grows", password="found-it")) > pid_count
    assert pot.events("sandbox.claimed")[-1]["sandbox"] == sandbox
    assert case_of(pot) == case


def test_a_frozen_one_outlives_a_crash(fresh):
    pot = fresh(size=0, linger="1s", keep=LONG)
    pid = run(pot, GROWING).strip()
    pot.wait_event("sandbox.frozen", 20)
    pot.kill_all()
    pot.process.wait(10)
    pot.start()
    run(pot, f"kill -0 {pid}")
    pot.wait_event("sandbox.thawed", 5)


def test_a_stolen_password_joins_the_case(fresh):
    pot = fresh(size=1, linger="300s", keep=LONG, accept_after=2)
    for password, code in (("wrong1", 255), ("wrong2", 255), ("Zx81!spectrum", 0)):
        assert pot.ssh("echo here > /root/left", password=password).returncode == code
    case = case_of(pot)
    assert run(pot, "cat /root/left", password="Zx81!spectrum", source="127.0.0.77") == "here\n"
    joined = pot.wait_event("case.joined", 5)
    assert joined["case"] == case and joined["by"] == "credential" and joined["source_ip"] == "127.0.0.77"
    assert pot.events("login.succeeded")[-1]["case"] == case
    # Others' guesses lead nowhere.
    assert pot.ssh("true", password="Zx81!other", source="127.0.0.78").returncode == 255


def test_uploads_run_in_the_next_connection_and_parallel_ones_share(fresh, tmp_path):
    pot = fresh(size=1, linger="60s", keep=LONG)
    script = tmp_path / "x.sh"
    script.write_text("echo ran-$(id -un)\n")
    done = subprocess.run(["sshpass", "-p", "letmein", "scp", *pot.ssh_options(), "-P", str(pot.port), str(script),
                           "root@127.0.0.1:/tmp/x.sh"], capture_output=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert run(pot, "sh /tmp/x.sh") == "ran-root\n"
    found = {}

    def one(number):
        found[number] = pot.ssh(
            f"touch /tmp/p{number}; sleep 7{number} > /dev/null 2>&1 & "
            "for i in $(seq 300); do [ $(ls /tmp/p[0-3] 2>/dev/null | wc -l) = 4 ] && "
            "[ $(ps ax | grep -c '[s]leep 7[0-3]') -ge 4 ] && echo all && break; sleep 0.1; done", timeout=60).stdout

    threads = [threading.Thread(target=one, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: b"all\n" for n in range(4)}, found
    assert len({e["sandbox"] for e in pot.events("sandbox.claimed")}) == 1
    assert run(pot, "ls /tmp/p0 2>&1 || true; ps ax | grep -c '[s]leep 7' || true",
               source="127.0.0.9").splitlines()[-1] == "0"


def test_the_operator_steers_and_looks_inside(fresh, engine, tmp_path):
    pot = fresh(size=1, linger="300s", keep=LONG)
    run(pot, "echo evil > /root/evil; rm /etc/motd; echo x >> /etc/hosts; ln -s /etc/shadow /root/link; "
             "mkfifo /root/fifo; touch \"/root/$(printf 'bad\\033[2Jname')\"")
    case = case_of(pot)
    pot.wait_event("sandbox.released", 10)
    sandbox = pot.events("sandbox.claimed")[-1]["sandbox"]
    assert cli(pot, "case", "show", "nonsense", check=2)
    assert cli(pot, "case", "stop", "0123456789ab", check=1)
    cli(pot, "case", "freeze", case)
    assert pot.wait_event("sandbox.frozen", 5)["reason"] == "by hand"
    listed = hp.wait_until(lambda: json.loads(cli(pot, "cases", "--json", "--state", "frozen")), 5, "listed")
    assert [one["id"] for one in listed] == [case]
    assert case in cli(pot, "cases")
    cli(pot, "case", "thaw", case)
    cli(pot, "case", "thaw", case, check=1)

    def look():
        if engine == "docker":
            done = subprocess.run([str(hp.BINARY), "sandbox", "diff", "--config", str(pot.config), sandbox],
                                  capture_output=True, text=True, timeout=60)
            if "storage driver" in done.stderr:
                return  # this engine's layers cannot be looked into; the message says what can
        changes = cli(pot, "sandbox", "diff", sandbox).splitlines()
        assert "A /root/evil" in changes and "A /root/link" in changes
        assert "D /etc/motd" in changes and "C /etc/hosts" in changes or engine == "docker"
        assert "A /root/bad\\x1b[2Jname" in changes
        told = json.loads(cli(pot, "sandbox", "diff", sandbox, "--json"))
        assert [f"{one['change']} {one['path']}{'/' if one['folder'] else ''}" for one in told] == changes
        for kind, wanted in (("layer", ()), ("rootfs", ("--rootfs",))):
            archive = tmp_path / f"{kind}-{len(list(tmp_path.iterdir()))}.tar.zst"
            told = json.loads(cli(pot, "sandbox", "export", "--json", *wanted, sandbox, str(archive)))
            assert told["file"] == str(archive) and told["entries"] > 3 and told["bytes"] >= len("evil\n"), told
            plain = tmp_path / (archive.name + ".tar")
            subprocess.run(["zstd", "-q", "-d", "-o", str(plain), str(archive)], check=True)
            with tarfile.open(plain) as tar:
                link = tar.getmember("root/link")
                assert link.issym() and link.linkname == "/etc/shadow" and tar.getmember("root/fifo").isfifo()
                assert tar.extractfile("root/evil").read() == b"evil\n" and tar.getmember("root/evil").uid == 0
                assert ("usr/bin/env" in tar.getnames()) == (kind == "rootfs")
        cli(pot, "sandbox", "export", sandbox, str(archive), check=1)  # it exists

    look()
    cli(pot, "case", "stop", case)
    hp.wait_until(lambda: pot.events("sandbox.preserved"), 20, "preserved")
    look()
    planned = json.loads(cli(pot, "cleanup", "--dry-run", "--keep-bytes", "0", "--json"))
    assert (planned["count"], planned["of"]) == (1, 1) and planned["sandboxes"][0]["sandbox"] == sandbox, planned
    assert "1 of 1 would be deleted" in cli(pot, "cleanup", "--dry-run", "--keep-bytes", "0")
    assert run(pot, "cat /root/evil") == "evil\n"
    pot.wait_event("sandbox.released", 10)
    hp.wait_until(lambda: len(pot.events("sandbox.released")) == 2, 10, "he has left")
    cli(pot, "case", "stop", case)
    done = json.loads(cli(pot, "cleanup", "--older-than", "0s", "--json"))
    assert done["count"] == 1 and done["bytes"] > 0 and not done["dry_run"], done
    assert cli(pot, "cleanup", "--older-than", "0s").startswith("0 deleted"), "nothing is left to do"
    hp.wait_until(lambda: json.loads(cli(pot, "case", "show", case, "--json"))["sandbox"]["state"] == "none", 5, "noted")
    cli(pot, "case", "drop", case)
    hp.wait_until(lambda: json.loads(cli(pot, "cases", "--json")) == [], 5, "forgotten")
    cli(pot, "cleanup", check=2)


def test_a_crowd_keeps_to_the_budgets_and_finds_its_files(fresh, engine):
    crowd = int(os.environ.get("SANDTRAP_E2E_CASES", "300" if engine == "oci" else "40"))
    room = int(os.environ.get("SANDTRAP_E2E_ROOM", "50" if engine == "oci" else "8"))
    pot = fresh(size=2, max_total=room + 4, linger="600s", keep=LONG,
                extra_cases=f"  max_running: {room}\n  max_frozen: {room}\n",
                extra="preservation:\n  max_count: 100000\n")
    sources = [f"127.0.{1 + n // 200}.{1 + n % 200}" for n in range(crowd)]
    failed = []

    def visit(source, command, wanted):
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            done = pot.ssh(command, source=source, timeout=120)
            if done.returncode == 0:
                if done.stdout.decode() != wanted:
                    break
                return
            time.sleep(1)  # refused for want of room: attackers try again
        failed.append((source, done.stdout, done.stderr))

    def wave(those, command):
        threads = []
        for source in those:
            threads.append(threading.Thread(target=visit, args=(source, command(source), source + "\n")))
            threads[-1].start()
            time.sleep(0.1)  # the rate: ten a second
        for thread in threads:
            thread.join()
        assert not failed, failed[:3]

    wave(sources, lambda source: f"echo {source} > /root/mine; cat /root/mine")
    first = len(pot.events())
    # Those who came first were put away long ago.
    wave(sources[:crowd // 4], lambda source: "cat /root/mine")
    assert len(pot.events("sandbox.restored")) >= crowd // 4
    check_budgets(pot, room, first)


def check_budgets(pot, room, first):
    """Replays the events: never more in use, observed or frozen than there is room for. Who makes room is the one
    that was left longest ago; in the `first` events, while nobody returns, without exception."""
    running, frozen, owner, leaving, evicted = {}, {}, {}, set(), 0
    for number, event in enumerate(pot.events()):
        name, box = event["event"], event.get("sandbox")
        if name == "sandbox.claimed":
            assert owner.setdefault(box, event["case"]) == event["case"]
            frozen.pop(box, None)
            running[box] = None  # in use
        elif name == "sandbox.released":
            running[box] = number
        elif name == "sandbox.evicted":
            where = running if event["state"] == "observed" else frozen
            assert where[box] is not None, "one in use was evicted"
            assert event["reason"] in ("max_running", "max_frozen", "max_total")
            others = [left for other, left in where.items() if left is not None and other not in leaving]
            assert number > first or where[box] == min(others), "not the one that was left longest ago"
            leaving.add(box)
            evicted += 1
        elif name == "sandbox.frozen":
            frozen[box] = running.pop(box, None)
            leaving.discard(box)
        elif name in ("sandbox.preserved", "sandbox.removed"):
            running.pop(box, None)
            frozen.pop(box, None)
            leaving.discard(box)
        assert len(running) <= room, f"{len(running)} run"
        assert len(frozen) <= room, f"{len(frozen)} frozen"
    assert evicted
