"""The journal keeps what it confirmed, whatever happens to the process, the disk or a reader."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from grader.domain.decisions import FruitRecord, GateOutcome, Result
from grader.domain.events import Event, EventKind
from grader.domain.flags import Flag
from grader.domain.fruit import QUANTITIES, FruitMeasurements
from grader.domain.installation import CameraPlace, Installation, Line
from grader.domain.records import records_from
from grader.errors import JournalError
from grader.ports import Journal
from grader.storage.fruit_table import read_fruit_csv, write_fruit_csv
from grader.storage.journal import (
    SqliteJournal,
    open_journal,
    read_events,
    read_fruit,
    read_memory,
    read_outcomes,
    read_runs,
)
from grader.storage.provenance import RunInfo, sha256_of, software_versions
from grader.storage.resume import where_to_go_on
from grader.units import Pulse

RUN = RunInfo(
    started_wall_s=1_795_000_000.25,
    versions=software_versions(),
    hashes={"sheet": "ab" * 32, "calibration": "cd" * 32, "settings": "ef" * 32, "sugar": "01" * 32},
    installation=Installation(
        fruit="apple",
        line=Line(lanes=4, pulses_per_cup=96, mm_per_pulse=1.0, cups_per_second=12.0),
        cameras={
            "top": CameraPlace(
                width_px=1280,
                height_px=610,
                bands=("blue", "green", "red"),
                mm_per_px=0.8,
                cup_zero_px=(0.0, 80.0),
                lane_pitch_px=150.0,
                pulses_per_frame=48,
            )
        },
    ),
)


SINCE_VERSION_1 = ("ground_lightness", "ground_a", "ground_b", "hue_spread_deg", "stripe_contrast")
"""Quantities that a journal of the first version has no columns for."""


def a_fruit(lane: int, cup: int, /, **changes: object) -> FruitRecord:
    names = sorted(QUANTITIES, key=lambda name: name in SINCE_VERSION_1)
    values = {name: round(0.37 * cup + number, QUANTITIES[name].decimals) for number, name in enumerate(names)}
    return msgspec.structs.replace(
        FruitRecord(
            lane=lane,
            cup=cup,
            lot="2026-11-22/1",
            values={**values, "ssc_brix": None},
            grade="Extra",
            size="70-75",
            outlet=3,
            reasons=("Extra: blush_fraction 0.31 < 0.5", "Class I; 底色: 102.0 > 100"),
            flags=int(Flag.NO_SPECTRUM | Flag.FRAME_LOST),
        ),
        **changes,
    )


A_ZERO = Event(
    kind=EventKind.SCALE_ZERO,
    text="lane 2: the scale's zero is 0.4 g instead of 0.1 g",
    pulse=Pulse(2**40),
    lane=1,
    values={"from_g": 0.1, "to_g": 0.4, "weighings": 31, "by": "empty cups; 空杯"},
)


def an_outcome(lane: int, cup: int, result: Result = Result.FIRED, reason: str = "") -> GateOutcome:
    opened = Pulse(cup * 96 + 3152)
    return GateOutcome(
        lane=lane,
        cup=cup,
        outlet=3,
        open_pulse=opened,
        close_pulse=Pulse(opened + 96),
        fired_pulse=opened if result is Result.FIRED else None,
        result=result,
        reason=reason,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a journal #1 %41?.sqlite"


@pytest.fixture
def journal(path: Path) -> Iterator[SqliteJournal]:
    opened = open_journal(path, RUN)
    yield opened
    opened.close()


def test_what_was_committed_is_read_back_the_same(journal: SqliteJournal, path: Path) -> None:
    keeper: Journal = journal
    records = [a_fruit(lane, cup) for lane in (0, 1) for cup in (5, 2**40)]
    outcomes = [an_outcome(1, 5, Result.REFUSED, "gate busy"), an_outcome(0, 5)]
    keeper.commit(records, [])
    keeper.commit([], outcomes)

    assert read_outcomes(path) == outcomes
    ended = {(0, 5): "fired", (1, 5): "refused"}
    assert read_fruit(path) == [
        msgspec.structs.replace(record, gate_outcome=ended.get((record.lane, record.cup), "")) for record in records
    ]


def test_events_are_read_back_the_same_in_order_with_the_time_and_the_run_of_their_commit(path: Path) -> None:
    clock = iter([100.0, 200.0])
    journal = open_journal(path, RUN, wall_s=lambda: next(clock))
    stopped = Event(kind=EventKind.PLANT, text="the belt stopped")
    journal.commit([a_fruit(0, 1)], [], [A_ZERO, stopped])
    journal.close()
    again = open_journal(path, RUN, wall_s=lambda: next(clock))
    again.commit([], [], [stopped])
    again.close()
    assert [(said.run, said.wall_s, said.event) for said in read_events(path)] == [
        (1, 100.0, A_ZERO),
        (1, 100.0, stopped),
        (2, 200.0, stopped),
    ]
    assert [said.event for said in read_events(path, {EventKind.SCALE_ZERO})] == [A_ZERO]
    assert read_events(path, set()) == []


def test_a_figure_that_is_not_known_is_no_number_and_no_error(journal: SqliteJournal, path: Path) -> None:
    journal.commit([], [], [msgspec.structs.replace(A_ZERO, values={"from_g": float("nan")})])
    (said,) = read_events(path)
    assert isinstance(said.event.values["from_g"], float) and np.isnan(said.event.values["from_g"])


def test_the_last_that_was_remembered_under_a_name_is_there_after_a_restart(path: Path) -> None:
    journal = open_journal(path, RUN)
    journal.remember("scale", {"zero_g": [0.1, None], "tare_g": {"7": 1.5}})
    journal.remember("scale", {"zero_g": [0.2, 0.3]})
    journal.remember("other", 1)
    journal.close()
    assert read_memory(path, "scale") == {"zero_g": [0.2, 0.3]}
    assert read_memory(path, "nothing") is None


def test_a_second_station_cannot_write_the_same_journal(journal: SqliteJournal, path: Path) -> None:
    with start_writer(path, batches=1) as second:
        said, _ = second.communicate(timeout=60)
    assert "another station writes this journal" in said
    journal.close()
    assert [file.name for file in path.parent.iterdir()] == [path.name], "nothing is left of the lock"
    with start_writer(path, batches=1) as second:
        said, _ = second.communicate(timeout=60)
    assert said == "0\n"


def test_a_lock_goes_with_its_process(path: Path) -> None:
    with start_writer(path, batches=1_000_000) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        writer.kill()
    open_journal(path, RUN).close()


def test_any_sqlite_tool_reads_a_column_per_quantity_with_null_where_nothing_was_measured(
    journal: SqliteJournal, path: Path
) -> None:
    journal.commit([a_fruit(2, 7)], [])
    db = sqlite3.connect(path)
    types = {name: kind for _, name, kind, *_ in db.execute("PRAGMA table_info(fruit)")}
    assert {types[name] for name in QUANTITIES} == {"REAL"}
    found = db.execute(
        "SELECT lane, cup, diameter_mm, ssc_brix, json_extract(reasons, '$[1]'), flags FROM fruit"
    ).fetchall()
    db.close()
    assert found == [(2, 7, 2.59, None, "Class I; 底色: 102.0 > 100", 2048 + 16)]


def test_the_latest_outcome_of_a_gate_counts(journal: SqliteJournal, path: Path) -> None:
    journal.commit([a_fruit(0, 1)], [an_outcome(0, 1, Result.REFUSED)])
    journal.commit([], [an_outcome(0, 1, Result.VOID, "board restarted")])
    assert [record.gate_outcome for record in read_fruit(path)] == ["void"]
    assert len(read_outcomes(path)) == 2


def test_an_outcome_known_with_the_decision_is_kept_until_a_later_one(journal: SqliteJournal, path: Path) -> None:
    journal.commit([a_fruit(0, 1, gate_outcome="late"), a_fruit(0, 2, gate_outcome="late")], [])
    journal.commit([], [an_outcome(0, 2, Result.VOID)])
    assert [record.gate_outcome for record in read_fruit(path)] == ["late", "void"]


def test_an_outcome_for_an_unknown_cup_is_kept_and_does_not_stop_decisions(journal: SqliteJournal, path: Path) -> None:
    journal.commit([a_fruit(0, 1)], [an_outcome(3, 99)])
    assert [(found.lane, found.cup) for found in read_outcomes(path)] == [(3, 99)]
    assert [(record.lane, record.cup) for record in read_fruit(path)] == [(0, 1)]


def test_fruit_is_read_by_lot_and_by_run(journal: SqliteJournal, path: Path) -> None:
    journal.commit([a_fruit(0, 1), a_fruit(0, 2, lot="other")], [])
    journal.close()
    second = open_journal(path, RUN)
    second.commit([a_fruit(0, 3)], [])
    second.close()
    assert [record.cup for record in read_fruit(path, "2026-11-22/1")] == [1, 3]
    assert [record.cup for record in read_fruit(path, run=second.run_id)] == [3]
    assert [record.cup for record in read_fruit(path, "2026-11-22/1", run=journal.run_id)] == [1]


def test_every_start_is_written_down_with_versions_hashes_and_installation(path: Path) -> None:
    later = msgspec.structs.replace(RUN, started_wall_s=RUN.started_wall_s + 60, hashes={"sheet": "00" * 32})
    numbers = []
    for run in (RUN, later):
        journal = open_journal(path, run)
        numbers.append(journal.run_id)
        journal.close()
    assert read_runs(path) == dict(zip(numbers, (RUN, later), strict=True))
    assert set(RUN.versions) == {"grader", "numpy", "opencv", "python"}


def test_the_hash_of_a_file_is_its_sha256(tmp_path: Path) -> None:
    (tmp_path / "sheet.toml").write_bytes(b"abc")
    # FIPS 180-4, the standard's own example.
    assert sha256_of(tmp_path / "sheet.toml") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_serial_never_repeats_and_a_commit_that_fails_wrote_nothing(journal: SqliteJournal, path: Path) -> None:
    journal.commit([a_fruit(0, 1)], [])
    with pytest.raises(JournalError, match="UNIQUE"):
        journal.commit([a_fruit(0, 2), a_fruit(0, 1)], [an_outcome(0, 1)])
    assert [record.cup for record in read_fruit(path)] == [1]
    assert read_outcomes(path) == []
    journal.commit([a_fruit(0, 2)], [an_outcome(0, 2)])
    assert journal.last_serials() == {0: 2}
    journal.close()
    after_restart = open_journal(path, RUN)
    with pytest.raises(JournalError, match="UNIQUE"):
        after_restart.commit([a_fruit(0, 2, lot="another lot")], [])
    after_restart.close()


@pytest.mark.parametrize(
    "impossible",
    [
        {"cup": 2**63},
        {"lot": None},
        {"lot": "\ud800"},
        {"outlet": "three"},
        {"values": {"diameter_mm": "wide"}},
        {"values": {"diametre_mm": 71.0}},
    ],
)
def test_a_record_that_does_not_fit_is_refused_whole(
    journal: SqliteJournal, path: Path, impossible: dict[str, object]
) -> None:
    with pytest.raises(JournalError):
        journal.commit([a_fruit(1, 1), a_fruit(1, 2, **impossible)], [an_outcome(1, 1)])
    journal.commit([a_fruit(1, 3)], [])
    assert [record.cup for record in read_fruit(path)] == [3]
    assert read_outcomes(path) == []


def test_an_interrupt_in_mid_commit_leaves_nothing_half_written(journal: SqliteJournal, path: Path) -> None:
    class Interrupting(list[GateOutcome]):
        def __iter__(self) -> Iterator[GateOutcome]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        journal.commit([a_fruit(0, 1)], Interrupting([an_outcome(0, 1)]))
    assert read_fruit(path) == []
    journal.commit([a_fruit(0, 1)], [])
    assert len(read_fruit(path)) == 1


def test_written_rows_can_be_neither_changed_nor_taken_out(journal: SqliteJournal, path: Path) -> None:
    journal.commit([a_fruit(0, 1)], [an_outcome(0, 1)])
    db = sqlite3.connect(path)
    journal.commit([], [], [A_ZERO])
    for order in (
        "UPDATE event SET text = ''",
        "DELETE FROM event",
        "UPDATE fruit SET grade = 'Extra'",
        "DELETE FROM fruit",
        "DELETE FROM outcome",
        "UPDATE run SET id = 9",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="only added to"):
            db.execute(order)
    db.close()


def test_after_a_restart_serials_are_known_per_lane(journal: SqliteJournal, path: Path) -> None:
    assert journal.last_serials() == {}
    journal.commit([a_fruit(0, 7), a_fruit(0, 3), a_fruit(3, 11)], [])
    journal.close()
    again = open_journal(path, RUN)
    assert again.last_serials() == {0: 7, 3: 11}
    again.close()


def test_closing_twice_is_harmless_and_a_closed_journal_says_so(journal: SqliteJournal) -> None:
    journal.close()
    journal.close()
    with pytest.raises(JournalError, match="closed"):
        journal.commit([a_fruit(0, 1)], [])


def test_a_reader_neither_stops_the_writer_nor_sees_half_a_commit(journal: SqliteJournal, path: Path) -> None:
    journal.commit([a_fruit(0, 1)], [])
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    count = "SELECT COUNT(*) FROM fruit"
    assert reader.execute(count).fetchone() == (1,)
    journal.commit([a_fruit(0, 2), a_fruit(0, 3)], [])
    assert reader.execute(count).fetchone() == (1,), "a reader keeps the moment that it began in"
    assert len(read_fruit(path)) == 3
    reader.close()


def test_a_commit_is_durable_before_it_returns(journal: SqliteJournal) -> None:
    # 2 is FULL: the log is flushed to the disk in every commit. Nothing less survives a power cut.
    assert journal._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert journal._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


WRITER = """
import resource, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_journal import RUN, a_fruit, an_outcome
from grader.errors import JournalError
from grader.storage.journal import open_journal

try:
    journal = open_journal(Path({path!r}), RUN)
except JournalError as error:
    print("refused", error, flush=True)
    sys.exit()
if {file_limit}:
    resource.setrlimit(resource.RLIMIT_FSIZE, ({file_limit}, {file_limit}))
for batch in range({batches}):
    cups = range(batch * 5, batch * 5 + 5)
    try:
        journal.commit([a_fruit(0, cup) for cup in cups], [an_outcome(0, cup) for cup in cups])
    except JournalError as error:
        print("refused", error, flush=True)
        break
    print(batch, flush=True)
"""


def start_writer(path: Path, *, batches: int, file_limit: int = 0) -> subprocess.Popen[str]:
    """A process of its own that commits batches of five fruit and says the number of each that was confirmed."""
    program = WRITER.format(tests=str(Path(__file__).parent), path=str(path), batches=batches, file_limit=file_limit)
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)


def test_a_full_disk_is_said_and_everything_confirmed_before_stays(path: Path) -> None:
    with start_writer(path, batches=1_000_000, file_limit=400_000) as writer:
        said, _ = writer.communicate(timeout=60)
    *confirmed, refusal = said.splitlines()
    assert refusal.startswith("refused") and "cannot be written" in refusal
    assert len(confirmed) > 5
    assert len(read_fruit(path)) == 5 * len(confirmed)


def test_fruit_can_be_read_while_another_process_writes(path: Path) -> None:
    counts: list[int] = []
    with start_writer(path, batches=5000) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "0\n"
        while len(set(counts)) < 10 and writer.poll() is None:
            counts.append(len(read_fruit(path)))
        writer.kill()
    assert len(set(counts)) >= 10, "the writer goes on while it is read"
    assert counts == sorted(counts)
    assert all(count % 5 == 0 for count in counts), "whole commits only"


def test_a_missing_journal_is_said_and_not_made(path: Path) -> None:
    with pytest.raises(JournalError, match="there is no journal"):
        read_fruit(path)
    assert not path.exists()


@pytest.mark.parametrize("content", [b"lane,cup\n0,1\n" * 200, b"\0" * 4096, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_journal_is_refused_and_left_as_it_was(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(JournalError):
        open_journal(path, RUN)
    with pytest.raises(JournalError):
        read_fruit(path)
    assert path.read_bytes() == content


def test_somebody_elses_database_is_refused_and_left_as_it_was(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE fruit (name TEXT)")
    db.commit()
    db.close()
    before = path.read_bytes()
    with pytest.raises(JournalError, match="not a journal"):
        open_journal(path, RUN)
    assert path.read_bytes() == before


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JournalError):
        open_journal(tmp_path, RUN)
    with pytest.raises(JournalError):
        read_fruit(tmp_path)
    with pytest.raises(JournalError):
        open_journal(tmp_path / "missing" / "journal.sqlite", RUN)


def test_a_journal_of_an_unknown_version_is_refused_with_both_versions(journal: SqliteJournal, path: Path) -> None:
    journal.close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 7")
    db.close()
    for use in (lambda: open_journal(path, RUN), lambda: read_fruit(path)):
        with pytest.raises(JournalError, match="schema version 7, this program knows 1 to 2"):
            use()


def a_journal_of_version_1(path: Path) -> None:
    db = sqlite3.connect(path)
    db.executescript((Path(__file__).parent / "journal_v1.sql").read_text())
    db.execute("PRAGMA journal_mode = WAL")
    db.close()


def as_then(record: FruitRecord) -> FruitRecord:
    return msgspec.structs.replace(record, values=record.values | dict.fromkeys(SINCE_VERSION_1))


def test_a_journal_of_the_first_version_is_read_as_it_is(path: Path) -> None:
    a_journal_of_version_1(path)
    before = path.read_bytes()
    ended = ["fired", "", "void"]
    assert [record.gate_outcome for record in read_fruit(path)] == ended
    assert read_fruit(path)[0] == as_then(a_fruit(0, 1, gate_outcome="fired"))
    assert len(read_outcomes(path)) == 2
    assert [run.started_wall_s for run in read_runs(path).values()] == [RUN.started_wall_s]
    assert (read_events(path), read_memory(path, "scale")) == ([], None)
    assert path.read_bytes() == before


def test_a_journal_of_the_first_version_is_brought_up_to_date_by_a_station(path: Path) -> None:
    a_journal_of_version_1(path)
    journal = open_journal(path, RUN)
    assert journal.last_serials() == {0: 2, 1: 7}
    journal.commit([a_fruit(0, 3)], [an_outcome(0, 3)], [A_ZERO])
    journal.remember("scale", 1)
    journal.close()
    assert [(record.lane, record.cup) for record in read_fruit(path)] == [(0, 1), (0, 2), (0, 3), (1, 7)]
    assert read_fruit(path)[1] == as_then(a_fruit(0, 2))
    assert read_fruit(path)[2].values == a_fruit(0, 3).values
    assert [said.event for said in read_events(path)] == [A_ZERO]
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA user_version").fetchone() == (2,)
    with pytest.raises(sqlite3.IntegrityError, match="only added to"):
        db.execute("DELETE FROM event")
    db.close()


def test_a_journal_from_before_a_quantity_existed_still_reads_and_takes_new_fruit(
    journal: SqliteJournal, path: Path
) -> None:
    journal.commit([a_fruit(0, 1)], [])
    journal.close()
    db = sqlite3.connect(path)
    db.execute("ALTER TABLE fruit DROP COLUMN density_g_per_ml")
    db.close()
    assert read_fruit(path)[0].values["density_g_per_ml"] is None
    again = open_journal(path, RUN)
    again.commit([a_fruit(0, 2)], [])
    again.close()
    old, new = read_fruit(path)
    assert (old.values["density_g_per_ml"], new) == (None, a_fruit(0, 2))


def test_damage_inside_a_row_is_an_error_and_not_a_traceback(journal: SqliteJournal, path: Path) -> None:
    journal.commit([a_fruit(0, 1)], [])
    db = sqlite3.connect(path)
    db.execute("DROP TRIGGER fruit_no_update")
    db.execute("UPDATE fruit SET reasons = 'not json'")
    db.commit()
    db.close()
    with pytest.raises(JournalError, match="impossible"):
        read_fruit(path)


def spoil_cells(path: Path, changes: str) -> None:
    """As a damaged disk may: cells of a type that their columns do not take."""
    db = sqlite3.connect(path, isolation_level=None)
    for table in ("run", "fruit", "outcome", "event"):
        db.execute(f"DROP TRIGGER {table}_no_update")
    db.execute("PRAGMA writable_schema = ON")
    db.execute("UPDATE sqlite_master SET sql = replace(sql, 'STRICT', '') WHERE type = 'table'")
    db.close()
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(changes)
    db.close()


def serials(path: Path) -> None:
    opened = open_journal(path, RUN)
    try:
        opened.last_serials()
    finally:
        opened.close()


@pytest.mark.parametrize(
    ("changes", "read"),
    [
        ("UPDATE fruit SET lane = 'x'", read_fruit),
        ("UPDATE fruit SET diameter_mm = x'00'", read_fruit),
        ("UPDATE fruit SET reasons = 5", read_fruit),
        (f"UPDATE fruit SET reasons = '{'[' * 100_000}'", read_fruit),
        ("UPDATE outcome SET fired_pulse = 'x'", read_outcomes),
        ("UPDATE outcome SET result = 'exploded'", read_outcomes),
        ("UPDATE run SET versions = '[]'", read_runs),
        ("UPDATE run SET installation = x'ff'", read_runs),
        ("UPDATE fruit SET cup = 'x'", serials),
        ("UPDATE event SET pulse = 'x'", read_events),
        ("UPDATE event SET kind = 'nothing'", read_events),
        ("UPDATE event SET figures = '[]'", read_events),
        ("UPDATE fruit SET cup = 'x'", where_to_go_on),
        ("UPDATE fruit SET wall_s = 'x'", where_to_go_on),
        ("UPDATE run SET installation = '{}'", where_to_go_on),
    ],
)
def test_a_cell_of_another_type_than_its_column_is_an_error_and_not_a_traceback(
    journal: SqliteJournal, path: Path, changes: str, read: Callable[[Path], object]
) -> None:
    journal.commit([a_fruit(0, 1)], [an_outcome(0, 1)], [A_ZERO])
    journal.close()
    spoil_cells(path, changes)
    with pytest.raises(JournalError, match="something impossible"):
        read(path)


def test_journal_and_table_hold_the_same_number_rounded_once(
    journal: SqliteJournal, path: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(5)
    n = 300
    measured = FruitMeasurements.unmeasured(
        np.arange(n) % 4,
        np.arange(n),
        **{name: np.where(rng.random(n) < 0.1, np.nan, rng.normal(0.0, 120.0, n)) for name in QUANTITIES},
    )
    records = records_from(
        measured, lots=["a"] * n, grades=["I"] * n, sizes=[""] * n, outlets=[1] * n, reasons=[()] * n
    )
    journal.commit(records, [])
    in_order = sorted(records, key=lambda record: (record.lane, record.cup))
    write_fruit_csv(tmp_path / "fruit.csv", in_order)
    in_journal, in_table = read_fruit(path), list(read_fruit_csv(tmp_path / "fruit.csv"))
    assert in_journal == in_table == in_order
    assert sum(value is None for record in records for value in record.values.values()) > 100
