import concurrent.futures
import os
import shutil

import pytest

import matrix
import rows


def pytest_addoption(parser):
    parser.addoption("--group", default="", choices=["", *matrix.GROUPS], help="only the rows of this group")


def pytest_generate_tests(metafunc):
    if "row" in metafunc.fixturenames:
        group = metafunc.config.getoption("--group")
        chosen = [row for row in rows.ROWS if group in ("", row.group)]
        metafunc.parametrize("row", chosen, ids=[row.name for row in chosen])


@pytest.fixture(scope="session")
def outcomes(request):
    """Row -> future of its problems. All selected rows run beside each other from the first question on."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if not (shutil.which("runc") or shutil.which("crun")):
        pytest.skip("no OCI runtime installed")
    chosen = [item.callspec.params["row"] for item in request.session.items if hasattr(item, "callspec")]
    stage = matrix.Stage({row.strict for row in chosen})
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        yield {row.name: pool.submit(stage.run, row) for row in chosen}
    codes = stage.stop()
    assert not any(codes), f"a honeypot stopped with {codes}"
