"""From inside: nothing to reach, nothing to break, nobody to disturb."""
import os
import shutil
import statistics
import subprocess
import time

import pytest

from honeypot import wait_until

SOURCE = "127.0.4.1"


def inside(pot, command, source=SOURCE):
    return pot.ssh(command, source=source, timeout=60)


@pytest.mark.parametrize("command", [
    "ping -c1 -W1 192.0.2.1", "curl -sS -m 3 http://192.0.2.1/", "wget -T 3 -t 1 -O- http://192.0.2.1/",
    "getent hosts example.com", "bash -c 'exec 3<>/dev/tcp/192.0.2.1/80'",
    "perl -e 'socket(S, 2, 3, 1) or exit 1'", "perl -e 'socket(S, 17, 3, 3) or exit 1'",  # raw, packet
    "mount -t tmpfs none /mnt", "unshare -m true", "unshare -Ur true", "mknod /tmp/d b 8 0", "dmesg",
    "echo x > /proc/sys/kernel/core_pattern", "echo b > /proc/sysrq-trigger", "ls /var/run/docker.sock",
    "cat /proc/kcore | head -c 1 | grep -q .", "chroot /proc/1/root/../../ ls /work-that-is-not-there",
])
def test_refused(pot, command):
    done = inside(pot, command)
    assert done.returncode != 0, (command, done.stdout)


def test_there_is_no_network_but_loopback(pot):
    assert inside(pot, "cat /proc/net/route | tail -n +2").stdout == b""
    assert inside(pot, "ls /sys/class/net").stdout.split() == [b"lo"]


def test_dangerous_system_calls_fail(pot):
    # bpf 321, perf_event_open 298, keyctl 250, userfaultfd 323, finit_module 313, io_uring_setup 425
    probe = "printf '%d ', syscall($_, 0, 0, 0, 0, 0) for (321, 298, 250, 323, 313, 425)"
    done = inside(pot, f'perl -e "{probe.replace("$", chr(92) + "$")}"')
    assert done.stdout == b"-1 -1 -1 -1 -1 -1 ", done
    assert inside(pot, "perl -e 'socket(S, 2, 1, 0) or exit 1; exit(syscall(39) > 0 ? 0 : 2)'").returncode == 0


def test_no_descriptor_leaks_into_the_sandbox(pot):
    done = inside(pot, "ls -l /proc/self/fd /proc/1/fd")
    assert b"runc" not in done.stdout and b"sandtrap" not in done.stdout
    numbers = inside(pot, "ls /proc/self/fd").stdout.split()
    assert set(numbers) <= {b"0", b"1", b"2", b"3"}  # 3 is ls's own directory


def echo_median(pot, source, rounds=15):
    """Round trip of a line through `cat` in an open session, in milliseconds."""
    process = subprocess.Popen(pot.ssh_command("cat", source=source), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write(b"ready\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"ready\n"
    times = []
    for i in range(rounds):
        began = time.monotonic()
        process.stdin.write(b"%d\n" % i)
        process.stdin.flush()
        assert process.stdout.readline() == b"%d\n" % i
        times.append((time.monotonic() - began) * 1000)
        time.sleep(0.1)
    process.stdin.close()
    process.wait(10)
    return statistics.median(times)


BOMBS = {
    "fork": "bomb() { bomb | bomb & }; bomb; sleep 4",
    "memory": "timeout 6 python3 -c 'x=[]\nwhile True: x.append(bytearray(1<<20))'; sleep 2",
    "disk": "timeout 8 dd if=/dev/zero of=/fill bs=1M count=8192 2>&1; ls -l /fill",
    "cpu": "for i in 1 2 3 4; do (timeout 6 sh -c 'while :; do :; done') & done; wait",
}


@pytest.mark.parametrize("bomb", sorted(BOMBS))
def test_a_bomb_hurts_nobody(pot, bomb):
    attacker = subprocess.Popen(pot.ssh_command(BOMBS[bomb], source=f"127.0.4.{10 + len(bomb)}"),
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    time.sleep(0.5)
    median = echo_median(pot, "127.0.4.2")
    attacker.kill()
    attacker.wait(10)
    assert median < 100, f"{median:.1f} ms while a {bomb} bomb ran"


def test_the_disk_limit_is_exact_on_the_embedded_engine(pot, engine):
    if engine != "oci":
        pytest.skip("the writable layer is limited only where Docker's storage driver can")
    done = inside(pot, "dd if=/dev/zero of=/root/a bs=1M count=400; dd if=/dev/zero of=/root/b bs=1M count=400; "
                       "dd if=/dev/zero of=/root/c bs=1M count=400", source="127.0.4.3")
    assert b"No space left on device" in done.stderr


def test_the_host_sees_no_root_of_its_own(pot, engine):
    if engine != "oci":
        pytest.skip("user namespaces on Docker are the daemon's own setting")
    mark = subprocess.Popen(pot.ssh_command("exec -a st-mark-4 sleep 30", source="127.0.4.4"), stdin=subprocess.DEVNULL)

    def host_uid():
        found = subprocess.run(["ps", "-eo", "uid=,args="], capture_output=True, text=True, check=True).stdout
        return [int(line.split()[0]) for line in found.splitlines() if line.split()[1:2] == ["st-mark-4"]]
    uids = wait_until(host_uid, 10, "the marked process on the host")
    mark.kill()
    mark.wait()
    assert all(uid >= 100000 for uid in uids), uids


@pytest.mark.parametrize("runtime", ["runc", "crun"])
def test_this_machines_dev_null_is_out_of_reach(engine, runtime, fresh):
    if engine != "oci" or not shutil.which(runtime):
        pytest.skip("a matter of the embedded engine's runtimes")
    pot = fresh(size=1, extra=f"oci: {{runtime: {runtime}}}\n")
    before = os.stat("/dev/null")
    for stream in ("/dev/null", "/proc/1/fd/0", "/proc/1/fd/1"):
        # Its own node, or a view through which nothing can be changed.
        done = inside(pot, f"id -u; chmod 600 {stream}; chown 1:1 {stream}; echo end", source="127.0.4.5")
        assert done.stdout == b"0\nend\n", (stream, done)
        after = os.stat("/dev/null")
        assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
    assert before.st_mode & 0o777 == 0o666


def test_nothing_names_the_data_folder(pot, engine):
    if engine != "oci":
        pytest.skip("Docker's mount table names its data root")
    done = inside(pot, "cat /proc/mounts /sys/block/*/loop/backing_file /proc/*/cmdline; echo end", source="127.0.4.6")
    assert done.stdout.endswith(b"end\n"), done
    assert str(pot.base).encode() not in done.stdout
