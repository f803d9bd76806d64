"""What is installed agrees with what is said about it."""
import re
import shutil
import subprocess
import tempfile
import pathlib

import pytest

import machine as m

PROGRAM = m.BUILD / "sandtrap"
UNITS = sorted((m.ROOT / "packaging/systemd").glob("*.service"))


@pytest.fixture
def folder():
    path = pathlib.Path(tempfile.mkdtemp(prefix="sandtrap-install-"))
    yield path
    shutil.rmtree(path)


def make_install(destdir, prefix):
    m.run("make", "--no-print-directory", "install", f"DESTDIR={destdir}", f"PREFIX={prefix}", "--assume-old=build",
          cwd=m.ROOT)


def commands_of(words=()):
    """{("policy", "test"): {"--config", ...}}, from --help alone."""
    text = m.run(PROGRAM, *words, "--help").stdout
    options = set(re.findall(r"^  (?:-\w,)?(--[a-z-]+)", text, re.M)) - {"--help", "--help-all", "--version"}
    part = re.search(r"^Subcommands:\n((?:  .*\n)+)", text, re.M)
    found = {}
    for line in part.group(1).splitlines() if part else []:
        name = re.match(r"  ([a-z-]+)\s", line)
        if name:
            found.update(commands_of((*words, name.group(1))))
    return found or {words: options}


def commands_in(manual):
    found, current = {}, None
    for line in manual.splitlines():
        if line.startswith(".SS "):
            current = tuple(re.match(r"((?:[a-z-]+ ?)+)", line[4:]).group(1).split())
            found[current] = set()
        elif line.startswith(".SH "):
            current = None
        elif current and line.startswith(r".B \-\-"):
            found[current].add(re.match(r"\.B ([a-z\\-]+)", line).group(1).replace("\\", ""))
    return found


@pytest.fixture(scope="module")
def installed():
    path = pathlib.Path(tempfile.mkdtemp(prefix="sandtrap-installed-"))
    make_install(path, "/usr")
    yield path / "usr"
    shutil.rmtree(path)


def test_the_manual_says_what_help_says(installed):
    told, real = commands_in((installed / "share/man/man8/sandtrap.8").read_text()), commands_of()
    assert ("serve",) in real and "--role" in real[("serve",)] and len(real) > 10, real
    assert told == real


def test_the_manual_is_well_formed(installed):
    shown = subprocess.run(["man", "--warnings", "-l", installed / "share/man/man8/sandtrap.8"], timeout=60, text=True,
                           stdin=subprocess.DEVNULL, capture_output=True)
    assert shown.returncode == 0 and not shown.stderr, shown.stderr
    assert "sandtrap serve" in shown.stdout and "@" not in shown.stdout


def test_the_completions_are_installed(installed):
    for shell, file in (("bash", "bash-completion/completions/sandtrap"), ("zsh", "zsh/vendor-completions/_sandtrap"),
                        ("fish", "fish/vendor_completions.d/sandtrap.fish")):
        assert (installed / "share" / file).read_text() == m.run(PROGRAM, "completion", shell).stdout


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_is_no_more_exposed_than_documented(unit, folder):
    # A name that no installed unit has, so that nothing of this machine is merged into it.
    copy = folder / unit.name.replace("sandtrap", "road")
    copy.write_text(unit.read_text().replace("@bindir@", "/usr/bin"))
    out = m.run("systemd-analyze", "security", "--offline=true", "--no-pager", copy).stdout
    score = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", out).group(1))
    page = (m.ROOT / "docs/deployment.md").read_text()
    told = float(re.search(rf"^\| `{unit.stem}` \| ([\d.]+) \|", page, re.M).group(1))
    assert score <= told, f"{unit.name}: {score}, documented as {told}\n{out}"
    assert told - score < 0.15, f"{unit.name} is better than documented: {score}, not {told}"


def test_make_install_honours_prefix_and_destdir_and_keeps_the_configuration(folder):
    make_install(folder, "/opt/trap")
    prefix = folder / "opt/trap"
    assert {path.name for path in folder.iterdir()} == {"opt", "etc"}
    assert "ExecStart=/opt/trap/bin/sandtrap serve" in (prefix / "lib/systemd/system/sandtrap-gate.service").read_text()
    for file in ("bin/sandtrap", "share/sandtrap/images/build.sh", "share/sandtrap/images/programs/login",
                 "share/sandtrap/scripts/check_port.sh", "share/man/man8/sandtrap.8", "share/doc/sandtrap/deployment.md",
                 "lib/sysusers.d/sandtrap.conf", "lib/tmpfiles.d/sandtrap.conf"):
        assert (prefix / file).stat().st_size > 0, file
    assert "@bindir" not in "".join((prefix / f"lib/systemd/system/sandtrap-{r}.service").read_text()
                              for r in ("gate", "warden", "scribe"))
    # The installed program finds the installed script; the package's configuration is a good one.
    config = folder / "etc/sandtrap/config.yaml"
    m.run(prefix / "bin/sandtrap", "check", config)
    config.write_text(config.read_text() + "# mine\n")
    make_install(folder, "/opt/trap")
    assert config.read_text().endswith("# mine\n")


def test_the_configurations_of_the_containers_are_good():
    for config in sorted((m.ROOT / "containers").glob("config.*.yaml")):
        m.run(PROGRAM, "check", config)


def test_the_image_has_the_libraries_of_the_program():
    needed = re.findall(r"NEEDED\s+(\S+)", m.run("objdump", "-p", PROGRAM).stdout)
    places = dict(re.findall(r"^\s*(\S+) => (\S+) ", m.run("ldd", PROGRAM).stdout, re.M))
    real = [pathlib.Path(places[name]).resolve() for name in needed if name in places]
    owners = {line.split(":")[0] for line in m.run("dpkg", "-S", *[f"*/{path.parent.name}/{path.name}" for path in real]).stdout.splitlines()}
    listed = set((m.ROOT / "containers/runtime-packages.txt").read_text().split())
    assert len(real) > 5 and owners - {"libc6", "libgcc-s1", "libstdc++6", "libcrypt1"} <= listed, owners - listed
