"""A pytest plugin that runs llama.cpp's own server tests, as they are published, against `vl2 serve`.

    cd .../tools/server/tests; PYTHONPATH=HERE:HERE/.. python -m pytest -p against_vl2 unit

The tests call a server that is already there (their own DEBUG_EXTERNAL and PORT); this starts it. Cases in left_out.txt
are not run. Every other case has to pass: one that is skipped is a failure, and so is a line of left_out.txt that names no
case any more or gives no reason."""

import os
import tempfile
from pathlib import Path

import pytest

from left_out import check, parse
from server import Server

os.environ["DEBUG_EXTERNAL"] = "1"

LEFT_OUT = Path(__file__).with_name("left_out.txt")

# What the tests' own server is started with: this name, 512 positions for two at a time, and in one file a key.
ALIASES = ["tinyllama-2", "gpt-3.5-turbo", "gpt-3.5-turbo-instruct"]
OPTIONS = [word for alias in ALIASES for word in ("--alias", alias)] + ["--context", "256"]
KEY = "sk-this-is-the-secret-key"

servers = {}
skipped = []


def needs_key(item):
    """test_security.py's tests know the key; those of files on the server's disk send none."""
    return item.nodeid.startswith("unit/test_security.py") and "test_local_media_file" not in item.nodeid


def pytest_collection_modifyitems(config, items):
    lines = LEFT_OUT.read_text().splitlines()
    faults = check([item.nodeid for item in items], lines)
    if faults:
        raise pytest.UsageError(f"{LEFT_OUT}:\n" + "\n".join(faults))
    entries = parse(lines)
    left = [item for item in items if any(entry.matches(item.nodeid) for entry in entries)]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in left]


def pytest_sessionstart(session):
    if session.config.option.collectonly:
        return
    for name, keys in [("open", None), ("keyed", (KEY,))]:
        servers[name] = Server(tempfile.mkdtemp(), OPTIONS, keys=keys)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    os.environ["PORT"] = str(servers["keyed" if needs_key(item) else "open"].port)


def pytest_runtest_logreport(report):
    if report.skipped:
        skipped.append(report.nodeid)


def pytest_sessionfinish(session):
    for server in servers.values():
        server.stop()
    if skipped:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter):
    for case in skipped:
        terminalreporter.write_line(f"SKIPPED, which counts as failed: {case}")
