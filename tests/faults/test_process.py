"""The station's own end: killed, stopped, interrupted; and those who come when they should not."""

from __future__ import annotations

import configparser
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import pytest
from rig import ENVIRONMENT, LANES, PATIENCE_S, Floor, StationProcess, until

from grader.domain.decisions import Result
from grader.domain.events import EventKind
from grader.domain.lots import NO_LOT
from grader.domain.orders import CloseLot, Done, Stop
from grader.domain.snapshot import State
from grader.storage.journal import read_runs
from hardware.sim.faults import FaultKind
from hardware.sim.live import is_running

ROOT = Path(__file__).parents[2]
StationOn = Callable[..., StationProcess]


def typed(*words: str) -> tuple[int, str]:
    """A command's exit status, and all that it said."""
    done = subprocess.run(
        [sys.executable, "-m", "grader", *words], capture_output=True, text=True, env=ENVIRONMENT, timeout=PATIENCE_S
    )
    return done.returncode, done.stdout + done.stderr


def test_a_second_station_on_the_folder_is_refused_and_the_first_goes_on(station: StationProcess, floor: Floor) -> None:
    status, said = typed("run", "--headless", "--out", str(floor.folder), "--sheet", str(floor.folder / "sheet.toml"))
    assert status == 1
    assert "another station runs here" in said, said
    assert "Traceback" not in said
    assert station.shown().state is State.RUNNING
    station.until_sorting()


def test_a_reset_without_a_fault_is_refused_with_words(station: StationProcess, floor: Floor) -> None:
    status, said = typed("order", "reset", "--out", str(floor.folder))
    assert (status, "there is no fault to reset" in said) == (1, True), said
    assert station.shown().state is State.RUNNING


def test_an_order_to_no_station_says_how_to_start_one(tmp_path) -> None:
    status, said = typed("order", "show", "--out", str(tmp_path))
    assert status == 1
    assert "no station runs here" in said


def test_a_killed_station_goes_on_where_it_was_with_its_lot_and_new_serials_and_no_gate_fired_for_the_unwritten(
    own_floor: Floor, station_on: StationOn
) -> None:
    first = station_on(own_floor, "--lot", "Old orchard")
    first.until_sorting()
    first.kill()
    written = own_floor.next_cup()
    second = station_on(own_floor)
    second.until_sorting()
    assert second.shown().lot == "Old orchard"
    until(lambda: own_floor.verdict().landed > 40, "fruit of both have left the belt")
    verdict = own_floor.verdict()
    assert verdict.unasked == 0  # every opening was for a fruit in the journal
    assert [miss for miss in verdict.misses if miss.landed] == []
    fruit = own_floor.fruit()
    assert {record.lot for record in fruit} == {"Old orchard"}
    assert max(Counter((record.lane, record.cup) for record in fruit).values()) == 1
    assert [record for record in fruit if record.cup >= written]
    assert len(read_runs(own_floor.journal)) == 2
    sent = [record for record in fruit if record.outlet and record.cup < written]
    assert [record for record in sent if not record.gate_outcome] == []  # what is not known is said


def test_a_lot_that_was_closed_stays_closed_after_a_kill_and_the_next_one_begins_behind_it(
    own_floor: Floor, station_on: StationOn
) -> None:
    first = station_on(own_floor, "--lot", "A", "--grower", "Li")
    first.until_sorting()
    assert first.give(CloseLot(name="A")) == Done()
    until(lambda: own_floor.fruit()[-1].lot == NO_LOT, "what follows is of no lot")
    first.kill()
    written = own_floor.next_cup()
    second = station_on(own_floor)
    until(lambda: own_floor.fruit(written), "it goes on")
    second.kill()
    written = own_floor.next_cup()
    third = station_on(own_floor, "--lot", "B", "--grower", "Wang")
    third.until_sorting()
    for lane in range(LANES):
        lots = [record.lot for record in own_floor.fruit() if record.lane == lane]
        assert [lot for lot, _ in groupby(lots)] == ["A", NO_LOT, "B"]
    assert {record.outlet for record in own_floor.fruit() if record.lot == NO_LOT} == {0}
    assert not [record for record in own_floor.fruit() if record.lot == "B" and record.cup < written]


def test_a_station_that_is_ordered_to_stop_runs_its_belt_empty_and_every_fruit_is_where_it_was_sent(
    own_floor: Floor, station_on: StationOn
) -> None:
    station = station_on(own_floor)
    station.until_sorting()
    assert station.give(Stop()) == Done()
    assert station.process.wait(PATIENCE_S) == 0, station.said()
    fruit, verdict = own_floor.fruit(), own_floor.verdict()
    assert (verdict.landed, verdict.as_decided, verdict.misses) == (len(fruit), len(fruit), [])
    assert {each.result for each in own_floor.outcomes()} == {Result.FIRED}
    assert own_floor.events(EventKind.RUN_ENDED)
    assert (own_floor.folder / "fruit.csv").exists()
    assert not is_running(own_floor.folder)


@pytest.mark.parametrize("how", ["Ctrl-C", "order"])
def test_a_faulted_station_ends_within_seconds_when_it_is_told_to_and_everything_is_written(
    own_floor: Floor, station_on: StationOn, how: str
) -> None:
    station = station_on(own_floor)
    station.until_sorting()
    own_floor.happens(FaultKind.EMERGENCY_STOP, for_s=3600)
    reason = station.until_faulted()
    if how == "order":
        assert station.give(Stop()) == Done()
        status = station.process.wait(10)
    else:
        status = station.interrupt(10)
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read(ROOT / "deploy" / "grader.service")
    assert status and str(status) in unit["Service"]["RestartPreventExitStatus"].split(), "and stays down"
    assert reason in station.said()
    assert own_floor.events(EventKind.RUN_ENDED)
    fruit = own_floor.fruit()
    assert [record for record in fruit if record.outlet and not record.gate_outcome] == []
    assert (own_floor.folder / "fruit.csv").read_text().count("\n") == len(fruit) + 1


def test_a_station_whose_journal_is_taken_away_ends_with_words(own_floor: Floor, station_on: StationOn) -> None:
    station = station_on(own_floor)
    own_floor.journal.rename(own_floor.journal.with_suffix(".elsewhere"))
    until(lambda: station.process.poll() is not None, "it ends")
    assert "moved or removed" in station.said()
    assert "Traceback" not in station.said()


def test_a_folder_goes_on_as_the_line_that_it_had_and_is_refused_to_another(tmp_path: Path) -> None:
    run = ("run", "--headless", "--out", str(tmp_path), "--minutes", "0.05")
    assert typed(*run, "--lanes", "1", "--cups-per-second", "15", "--variety", "Gala")[0] == 0
    status, said = typed(*run, "--lanes", "2")
    assert (status, "is of a line with 1 lanes, this one has 2 (name a new folder)" in said) == (1, True), said
    assert typed(*run)[0] == 0
    first, *_, last = read_runs(tmp_path / "journal.sqlite").values()
    assert (last.installation.line, last.installation.variety) == (first.installation.line, "Gala")
