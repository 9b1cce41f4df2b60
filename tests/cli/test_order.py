"""Orders as people type them, to a real desk in a real folder: they find their station, and what goes wrong is said."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from grader.app.orders import OrderDesk
from grader.cli.main import app
from grader.cli.words import LANGUAGES, say, say_findings
from grader.domain.decisions import BoardStatus
from grader.domain.orders import Answer, CloseLot, Done, OpenLot, Order, Refused, Reset, Show, Shown, Stop
from grader.domain.snapshot import FaultKind, Finding, FindingKind, LaneSnapshot, LotOnBelt, Snapshot, State
from grader.errors import DeviceError, GraderError
from grader.units import HostNs, Pulse

STANDING = Snapshot(
    t_ns=HostNs(1),
    elapsed_s=754.0,
    state=State.RUNNING,
    pulse=Pulse(5),
    cups_per_s=12.0,
    lanes=tuple(LaneSnapshot(lane=lane, fruit=1000, fruit_per_s=11.0, occupancy=0.9) for lane in range(4)),
    grades={"Extra": 3000, "I": 1000},
    outlets={0: 10, 1: 3990},
    flags={},
    late=2,
    board=BoardStatus(boot_id=7, config_crc=1, pulse=Pulse(5), pending=14, gates_open=3),
    latency={},
    journal_rows=3990,
    lot="17",
    sheet="eu-apples",
    lots=(LotOnBelt(name="17", grower="Li", lanes=3), LotOnBelt(name="18", grower="Wang", lanes=1, lanes_waiting=3)),
    findings=(Finding(kind=FindingKind.OUTLET_FULL, outlet=5),),
)


@contextmanager
def a_station(folder: Path, answer: Callable[[Order], Answer] = lambda order: Done()) -> Iterator[list[Order]]:
    """A desk that takes orders there; yields what it was told."""
    told: list[Order] = []

    def carry_out(order: Order) -> Answer:
        told.append(order)
        return answer(order)

    folder.mkdir(parents=True, exist_ok=True)
    desk = OrderDesk(folder, carry_out)
    try:
        yield told
    finally:
        desk.close()


def order(*words: object) -> str:
    """What is said to an order. Raises what it raises."""
    result = CliRunner().invoke(app, ["order", *map(str, words)], standalone_mode=False, catch_exceptions=False)
    return result.output


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to stand in, with no run in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path


def test_each_command_is_one_order(at_home: Path) -> None:
    with a_station(at_home / "runs" / "monday") as told:
        order("open-lot", "18", "--grower", "Wang", "--start", "120,118,121,120")
        order("close-lot", "18", "--start", "gap")
        order("reset")
        order("stop")
    assert told == [
        OpenLot(name="18", grower="Wang", start=(120, 118, 121, 120)),
        CloseLot(name="18", start="gap"),
        Reset(),
        Stop(),
    ]


def test_the_only_station_that_runs_is_meant_and_named(at_home: Path) -> None:
    (at_home / "runs" / "sunday").mkdir(parents=True)
    (at_home / "runs" / "sunday" / "station.sock").touch()  # left by one that was killed
    with a_station(at_home / "runs" / "monday") as told:
        assert order("reset") == "station: runs/monday\n✓ done\n"
        assert order("reset", "--lang", "zh") == "分选站：runs/monday\n✓ 完成\n"
    assert told == [Reset(), Reset()]


def test_which_of_two_stations_has_to_be_said(at_home: Path) -> None:
    with a_station(at_home / "runs" / "a") as first, a_station(at_home / "runs" / "b") as second:
        with pytest.raises(GraderError, match=r"say which with --out: runs/a, runs/b"):
            order("stop")
        order("stop", "--out", "runs/b")
    assert (first, second) == ([], [Stop()])


def test_no_station_is_said_with_its_remedy(at_home: Path) -> None:
    with pytest.raises(GraderError, match=r"no station runs under runs/: .*--out.*`grader run`"):
        order("show")
    with pytest.raises(DeviceError, match=r"elsewhere: no station runs here; check --out, or .*grader run --out"):
        order("show", "--out", at_home / "elsewhere")


def test_what_the_station_refuses_is_said_as_it_says_it(at_home: Path) -> None:
    why = "the emergency stop is still pressed: release it, then reset"
    with a_station(at_home / "runs" / "monday", lambda order: Refused(why)), pytest.raises(GraderError, match=why):
        order("reset")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_show_says_how_the_station_stands_in_one_small_window(at_home: Path, lang: str) -> None:
    with a_station(at_home / "runs" / "monday", lambda order: Shown(STANDING)) as told:
        text = order("show", "--lang", lang)
    assert told == [Show()]
    assert len(text.splitlines()) < 16
    for needed in ("runs/monday", "0:12:34", "17", "Li", "18", "Wang", "eu-apples", "44.0", "4,000", "3,990", "75.0%"):
        assert needed in text
    assert f"! {say(lang, 'late')} 2" in text
    assert f"! {say_findings(lang, STANDING.findings)[0]}" in text


@pytest.mark.parametrize("lang", LANGUAGES)
def test_show_says_of_a_fault_what_to_do(at_home: Path, lang: str) -> None:
    faulted = msgspec.structs.replace(STANDING, state=State.FAULTED, fault=FaultKind.BOARD, reason="gate board: silent")
    with a_station(at_home / "runs" / "monday", lambda order: Shown(faulted)):
        text = order("show", "--lang", lang)
    for needed in (say(lang, "fault_board"), "gate board: silent", say(lang, "remedy_board"), "grader order reset"):
        assert needed in text


def test_show_for_a_program_is_the_whole_snapshot(at_home: Path) -> None:
    with a_station(at_home / "runs" / "monday", lambda order: Shown(STANDING)):
        text = order("show", "--json")
    assert msgspec.json.decode(text, type=Snapshot) == STANDING
    assert json.loads(text)["lots"][1] == {"name": "18", "grower": "Wang", "lanes": 1, "lanes_waiting": 3}
