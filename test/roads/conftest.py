import os

import pytest


def pytest_configure(config):
    if os.geteuid() != 0:
        pytest.exit("the roads need root", returncode=1)
