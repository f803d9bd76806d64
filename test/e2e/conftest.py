import os
import shutil
import socket

import pytest

import honeypot as hp


def docker_reason():
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(hp.DOCKER_SOCKET)
        except OSError as error:
            return f"no Docker Engine at {hp.DOCKER_SOCKET}: {error}"
    return None


def require(engine):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if engine == "oci" and not (shutil.which("runc") or shutil.which("crun")):
        pytest.skip("no OCI runtime installed")
    if engine == "docker" and docker_reason():
        pytest.skip(docker_reason())


def engines():
    return os.environ.get("SANDTRAP_E2E_ENGINES", "oci,docker").split(",")


def pytest_collection_modifyitems(config, items):
    """What no engine is asked for, or what is marked `once`, is the same with each: it runs with the embedded
    engine's tests only."""
    def again(item):
        if "engine" not in item.fixturenames:
            return "oci" not in engines()
        return item.get_closest_marker("once") and item.callspec.params["engine"] != "oci"
    once = [item for item in items if again(item)]
    if once:
        items[:] = [item for item in items if item not in once]
        config.hook.pytest_deselected(items=once)
        config.nothing_left = not items


def pytest_sessionfinish(session, exitstatus):
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and getattr(session.config, "nothing_left", False):
        session.exitstatus = pytest.ExitCode.OK


@pytest.fixture(scope="module", params=engines())
def engine(request):
    require(request.param)
    return request.param


@pytest.fixture(scope="module")
def pot(engine):
    """One honeypot for all tests of a file; stopping it must leave nothing."""
    honeypot = hp.Honeypot(engine).start()
    yield honeypot
    code = honeypot.stop()
    left = hp.leaks(honeypot)
    log = honeypot.text()
    honeypot.remove()
    assert code == 0, log
    assert not left, "\n".join(left) + "\n" + log


@pytest.fixture
def fresh(engine):
    """A honeypot factory for tests that disturb it."""
    made = []

    def make(**settings):
        honeypot = hp.Honeypot(engine, **settings).start()
        made.append(honeypot)
        return honeypot

    yield make
    for honeypot in made:
        honeypot.stop()
        left = hp.leaks(honeypot)
        log = honeypot.text()
        honeypot.remove()
        assert not left, "\n".join(left) + "\n" + log
