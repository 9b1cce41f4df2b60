"""Which white and dark a lane's fruit are held against."""

import numpy as np
import pytest

from calibration.sugar import fit_sugar_model, usable
from calibration.sugar_reference import simulated_reference_fruit
from grader.domain.frames import Scan
from grader.spectra.references import lane_references
from grader.units import HostNs, Pulse

FRUIT = simulated_reference_fruit(200, 12)
MODEL = fit_sugar_model(FRUIT.rows(usable(FRUIT)), name="test", version="1")
CHANNELS = len(MODEL.wavelengths_nm)


def _scan(lane: int, kind: str, counts: float, channels: int = CHANNELS) -> Scan:
    return Scan(lane=lane, pulse=Pulse(0), t_ns=HostNs(0), kind=kind, counts=np.full(channels, counts, np.float32))


def test_a_lane_that_said_nothing_has_the_calibrations_own_references() -> None:
    found = lane_references(MODEL, [_scan(0, "sample", 9000.0)], lanes=3)
    assert found.white.shape == found.dark.shape == (3, CHANNELS)
    assert np.array_equal(found.white, np.tile(MODEL.white_counts, (3, 1)))
    assert np.array_equal(found.dark, np.tile(MODEL.dark_counts, (3, 1)))


def test_a_lanes_own_references_are_the_mean_of_its_scans_and_no_other_lanes() -> None:
    scans = [_scan(1, "white", 40000.0), _scan(1, "white", 44000.0), _scan(1, "dark", 900.0), _scan(2, "dark", 800.0)]
    found = lane_references(MODEL, scans, lanes=3)
    assert found.white[1] == pytest.approx(np.full(CHANNELS, 42000.0))
    assert np.array_equal(found.white[[0, 2]], np.tile(MODEL.white_counts, (2, 1)))
    assert found.dark[1:, 0].tolist() == [900.0, 800.0]


def test_a_damaged_reference_counts_for_nothing_and_only_damaged_ones_leave_no_reference() -> None:
    cut, hole = _scan(0, "white", 1.0, channels=CHANNELS - 1), _scan(0, "white", float("nan"))
    assert lane_references(MODEL, [cut, hole, _scan(0, "white", 5e4)], lanes=1).white[0, 0] == 5e4
    assert np.isnan(lane_references(MODEL, [cut, hole], lanes=1).white).all()
