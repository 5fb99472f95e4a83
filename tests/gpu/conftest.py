"""NL_TASKS_LONGEST=1100 leaves out inputs of more tokens, for runs under compute-sanitizer."""

import os

import pytest


@pytest.fixture(scope="session")
def longest():
    return int(os.environ.get("NL_TASKS_LONGEST", 10**9))


def pytest_collection_modifyitems(config, items):
    most = int(os.environ.get("NL_TASKS_LONGEST", 10**9))
    long = [item for item in items if hasattr(item, "callspec") and too_long(item.callspec.params.values(), most)]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


def too_long(values, most):
    return any(isinstance(value, int) and value > most for value in values)
