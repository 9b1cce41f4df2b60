"""What all tests share: the real measurements, that nothing outlives a test, and what may run beside what."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# As the program itself does: a matrix library's threads would take signals that are meant for the main one.
for _library in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_library, "1")

# Where the suite was started in the background, these are ignored, and so would be by every program that a test starts.
for _number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL)

ROOT = Path(__file__).parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"

REAL_TIME = ("tests/app/test_service", "tests/cli/", "tests/contract/", "tests/faults/", "tests/hardware/test_")
"""Here a line runs by the clock, or a device answers by it."""


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real photographs and spectra, which lies beside the project; the test is skipped without it."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real data are not there: put them into shared/data beside the project's folder")
    return SHARED_DATA


@pytest.fixture(autouse=True)
def nothing_outlives_a_test() -> Iterator[None]:
    """No thread and no child process that a test started is there after it."""
    threads, children = set(threading.enumerate()), set(multiprocessing.active_children())
    yield
    assert [thread.name for thread in threading.enumerate() if thread not in threads] == []
    assert [child.name for child in multiprocessing.active_children() if child not in children] == []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Continuous integration that has the real data may not pass over the tests that need them."""
    report = yield
    needs_data = "shared_data" in getattr(item, "fixturenames", ()) or item.get_closest_marker("real_data") is not None
    if report.skipped and needs_data and os.environ.get("CI") == "true" and SHARED_DATA.is_dir():
        report.outcome = "failed"
        report.longrepr = f"skipped, though the real data are there: {report.longrepr}"
    return report


class OneLineAtATime(LoadScopeScheduling):
    """With several workers, a file's tests keep together, and two lines never run side by side."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        return "by the clock" if file.startswith(REAL_TIME) else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneLineAtATime:
    return OneLineAtATime(config, log)
