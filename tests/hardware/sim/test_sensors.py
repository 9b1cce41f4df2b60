"""The simulated spectrometer and scale: known physics, and the same reading whatever was asked before."""

import numpy as np
import pytest

from hardware.sim.levels import CHANGING, IDEAL, STATIC
from hardware.sim.scale import SimulatedScale
from hardware.sim.spectrometer import FULL_SCALE_COUNTS, SimulatedSpectrometer

FRUIT = {
    "ssc_brix": 13.0,
    "diameter_mm": 75.0,
    "chlorophyll": 0.4,
    "anthocyanin": 0.4,
    "fruit_temp_c": 20.0,
    "hours": 0.0,
}


def _ideal(**changed: float) -> np.ndarray:
    """Absorbance of a fruit on the ideal line, where nothing but the fruit changes a count."""
    device = SimulatedSpectrometer(IDEAL, 1)
    white, dark = device.white().astype(float), device.dark().astype(float)
    return np.log10((white - dark) / (device.scan(key=(1,), **(FRUIT | changed)) - dark))


def _nm() -> np.ndarray:
    return np.array(SimulatedSpectrometer(IDEAL, 1).wavelengths_nm)


def test_a_scan_is_sixteen_bit_counts_of_every_channel() -> None:
    device = SimulatedSpectrometer(CHANGING, 3)
    counts = device.scan(key=(0, 5), **FRUIT)
    assert counts.dtype == np.float32 and counts.shape == (len(device.wavelengths_nm),) == (201,)
    assert (counts == np.rint(counts)).all() and counts.min() >= 0 and counts.max() <= FULL_SCALE_COUNTS
    assert device.wavelengths_nm[0] == 600.0 and device.wavelengths_nm[-1] == 1100.0


def test_a_scan_depends_on_its_key_not_on_what_was_asked_before() -> None:
    one, other = SimulatedSpectrometer(CHANGING, 3), SimulatedSpectrometer(CHANGING, 3)
    keys = [(0, 1), (1, 0), (0, 1, 0), (0,), (2, 700)]
    forward = {key: one.scan(key=key, **FRUIT) for key in keys}
    backward = {key: other.scan(key=key, **FRUIT) for key in reversed(keys)}
    assert all(np.array_equal(forward[key], backward[key]) for key in keys)
    assert len({forward[key].tobytes() for key in keys}) == len(keys)
    another_day = SimulatedSpectrometer(CHANGING, 4).scan(key=(0, 1), **FRUIT)
    assert not np.array_equal(another_day, forward[0, 1])


def test_sugar_is_a_small_thing_at_its_band_and_takes_the_place_of_water() -> None:
    change = _ideal(ssc_brix=14.0) - _ideal(ssc_brix=13.0)
    at_band = change[np.argmin(np.abs(_nm() - 910.0))]
    assert 0.002 < at_band < 0.010
    assert change[np.argmin(np.abs(_nm() - 967.0))] < at_band / 2


def test_water_pigments_and_path_are_large_and_where_they_belong() -> None:
    nm, spectrum = _nm(), _ideal()
    near = (nm > 880) & (nm < 1050)
    assert nm[near][spectrum[near].argmax()] == pytest.approx(972.5, abs=5.0)
    green = _ideal(chlorophyll=1.0) - _ideal(chlorophyll=0.0)
    assert nm[green.argmax()] == pytest.approx(675.0, abs=3.0) and green[nm > 750].max() < 0.01 < green.max()
    red = _ideal(anthocyanin=1.0) - _ideal(anthocyanin=0.0)
    assert nm[red.argmax()] == 600.0 and red[nm > 720].max() < 0.001
    bigger = _ideal(diameter_mm=90.0) - _ideal(diameter_mm=60.0)
    assert bigger.min() > -0.01 and nm[bigger.argmax()] == pytest.approx(970.0, abs=6.0)


def test_the_water_band_moves_to_shorter_waves_when_the_fruit_is_warm() -> None:
    change = _ideal(fruit_temp_c=30.0) - _ideal(fruit_temp_c=20.0)
    nm = _nm()
    assert change[np.argmin(np.abs(nm - 945.0))] > 0.003 > -0.003 > change[np.argmin(np.abs(nm - 1010.0))]


def test_the_instrument_drifts_over_the_day_and_only_at_changing() -> None:
    for level, drifts in ((STATIC, False), (CHANGING, True)):
        early, late = (
            np.mean([SimulatedSpectrometer(level, seed).white(hours=hours) for seed in range(40)], axis=1)
            for hours in (0.0, 8.0)
        )
        share = np.abs(late / early - 1.0)
        assert (share.mean() > 0.02) == drifts
        assert share.max() < 0.4


def test_the_ideal_instrument_reads_the_same_fruit_the_same_from_any_cup() -> None:
    device = SimulatedSpectrometer(IDEAL, 9)
    assert np.array_equal(device.scan(key=(0, 1), **FRUIT), device.scan(key=(3, 99), **(FRUIT | {"hours": 5.0})))


def test_noise_is_the_levels_share_of_full_scale() -> None:
    dark = np.array([SimulatedSpectrometer(STATIC, seed).dark() for seed in range(200)])
    spread = dark.std(axis=0, ddof=1).mean() * 4.0  # a reference is the mean of 16 exposures
    assert spread == pytest.approx(STATIC.spectral_noise * FULL_SCALE_COUNTS, rel=0.03)


def test_hardly_any_fruit_of_the_line_saturates_the_detector() -> None:
    device = SimulatedSpectrometer(CHANGING, 5)
    scans = [device.scan(key=(0, cup), **(FRUIT | {"diameter_mm": 55.0})) for cup in range(400)]
    assert np.mean([scan.max() >= FULL_SCALE_COUNTS for scan in scans]) <= 0.01


def test_the_ideal_scale_shows_the_mass() -> None:
    scale = SimulatedScale(IDEAL, 1, cups_per_chain=480, lanes=4)
    assert scale.weigh(lane=2, cup=77, mass_g=203.5, hours=3.0) == 203.5


def test_a_weighing_depends_on_its_cup_not_on_what_was_asked_before() -> None:
    one, other = (SimulatedScale(CHANGING, 7, cups_per_chain=480, lanes=4) for _ in range(2))
    cups = [(lane, cup) for lane in range(4) for cup in (0, 1, 480)]
    forward = [one.weigh(lane=lane, cup=cup, mass_g=150.0, hours=1.0) for lane, cup in cups]
    backward = [other.weigh(lane=lane, cup=cup, mass_g=150.0, hours=1.0) for lane, cup in reversed(cups)]
    assert forward == backward[::-1]
    assert len(set(forward)) == len(forward)


def test_the_tare_belongs_to_the_cup_and_comes_round_with_the_chain() -> None:
    scale = SimulatedScale(CHANGING, 7, cups_per_chain=480, lanes=2)
    tares = np.array([[scale.tare_g(lane=lane, cup=cup) for cup in range(960)] for lane in range(2)])
    assert np.array_equal(tares[:, :480], tares[:, 480:])
    assert tares[:, :480].std() == pytest.approx(CHANGING.tare_sd_g, rel=0.1)
    assert not np.array_equal(tares[0], tares[1])


def test_what_the_scale_shows_is_mass_tare_zero_and_noise_of_the_level() -> None:
    scale = SimulatedScale(CHANGING, 7, cups_per_chain=480, lanes=1)
    noise = [
        scale.weigh(lane=0, cup=cup, mass_g=180.0, hours=2.0)
        - 180.0
        - scale.tare_g(lane=0, cup=cup)
        - scale.zero_g(lane=0, hours=2.0)
        for cup in range(2000)
    ]
    assert np.mean(noise) == pytest.approx(0.0, abs=0.08)
    assert np.std(noise) == pytest.approx(CHANGING.scale_sd_g, rel=0.05)
    empty = [scale.weigh(lane=0, cup=cup, mass_g=0.0, hours=2.0) for cup in range(2000)]
    assert np.mean(empty) == pytest.approx(scale.zero_g(lane=0, hours=2.0), abs=0.15)


def test_the_zero_wanders_slowly_from_nothing_each_lane_its_own_way() -> None:
    scale = SimulatedScale(CHANGING, 7, cups_per_chain=480, lanes=12)
    hours = np.linspace(0.0, 48.0, 481)
    zero = np.array([[scale.zero_g(lane=lane, hours=hour) for hour in hours] for lane in range(12)])
    assert (zero[:, 0] == 0.0).all()
    slope = np.diff(zero, axis=1) / np.diff(hours)
    assert np.sqrt((slope**2).mean()) == pytest.approx(CHANGING.scale_drift_g_per_hour, rel=0.1)
    assert np.abs(np.corrcoef(zero)[np.triu_indices(12, 1)]).mean() < 0.6
