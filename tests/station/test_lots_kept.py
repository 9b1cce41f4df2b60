"""What the journal says of lots is what the station knew of them: it goes on with the same stretches of belt."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from small_line import camera, installation, sheet

from grader.errors import GraderError
from grader.station.lots import LotOrder, Start, close_lot, deal, lot_records, lots_of_marks, open_lot
from grader.storage.journal import open_journal, read_events
from grader.storage.lots import OF_LOTS, lots_written
from grader.storage.provenance import RunInfo
from grader.tracking.settings import TrackSettings
from grader.tracking.state import new_track

LANES, GAP = 3, 4


@pytest.mark.parametrize("seed", range(12))
def test_lots_are_read_back_as_the_station_left_them(tmp_path: Path, seed: int) -> None:
    """Opened at once, at a gap or at given cups, taken up again, closed, withdrawn, in whatever order."""
    rng = random.Random(seed)
    run = RunInfo(started_wall_s=0.0, versions={}, hashes={}, installation=installation(LANES))
    journal = open_journal(tmp_path / "journal.sqlite", run)
    lots = lots_of_marks((), LANES, sheet())
    track = new_track(installation(LANES), camera(LANES), TrackSettings())
    ordered = 0
    for _ in range(30):
        later = tuple(int(cup) + rng.randrange(1, 30) for cup in track.decided)
        start = rng.choice([Start.AT_ONCE, Start.AT_GAP, later])
        name = rng.choice("ABC")
        try:
            if rng.random() < 0.6:
                events = open_lot(lots, track, LotOrder(name, sheet(), "ab", grower=f"of {name}", start=start))
            else:
                events = close_lot(lots, track, name, Start.AT_ONCE if rng.random() < 0.7 else Start.AT_GAP)
            ordered += 1
        except GraderError:
            events = []
        for lane in rng.sample(range(LANES), rng.randrange(LANES + 1)):  # fruit, some of them after a gap
            track.decided[lane] += rng.randrange(1, 3 * GAP)
            _, begun = deal(lots, track, np.array([lane], np.int16), track.decided[[lane]], GAP)
            events += begun
        journal.commit([], [], events)
        written = [said.event for said in read_events(journal.path, OF_LOTS)]
        assert lots_written(written, LANES) == lot_records(lots)
    assert ordered > 8
    journal.close()
