"""Sugar in the lane: the dot product is the pipeline, and no bad spectrum gets a number."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.signal import savgol_filter
from sklearn.cross_decomposition import PLSRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from calibration.sugar import Recipe, fit_sugar_model, usable
from calibration.sugar_reference import ReferenceFruit, simulated_reference_fruit
from grader.domain.artefacts import SugarModel
from grader.domain.flags import Flag
from grader.domain.frames import Scan
from grader.spectra.checks import same_channels, scan_matrix
from grader.spectra.sugar import soluble_solids
from grader.units import HostNs, Pulse
from hardware.sim.levels import CHANGING, STATIC
from hardware.sim.spectrometer import SimulatedSpectrometer

N = 12
GOOD_FRUIT = {
    "ssc_brix": 13.0,
    "diameter_mm": 72.0,
    "chlorophyll": 0.4,
    "anthocyanin": 0.4,
    "fruit_temp_c": 20.0,
    "hours": 0.5,
}
DEVICE = SimulatedSpectrometer(CHANGING, seed=7001)


REFERENCE = simulated_reference_fruit(400, 31)
REFERENCE = REFERENCE.rows(usable(REFERENCE))
MODEL = fit_sugar_model(REFERENCE, name="test", version="1")
USED = slice(MODEL.first_channel, MODEL.stop_channel)


def _scans(n: int = N, device: SimulatedSpectrometer = DEVICE, **changed: float) -> np.ndarray:
    return np.array([device.scan(key=(0, cup), **(GOOD_FRUIT | changed)) for cup in range(n)])


GOOD = _scans()


def _flags(counts: np.ndarray, *references: np.ndarray, **words: object) -> list[int]:
    found = soluble_solids(MODEL, counts, *references, **words)  # type: ignore[arg-type]
    assert np.array_equal(np.isnan(found.ssc_brix), found.flags != 0)
    assert np.array_equal(np.isnan(found.ssc_brix_sd), found.flags != 0)
    assert found.flags.dtype == np.uint32
    return found.flags.tolist()


def test_good_scans_get_a_number_and_no_flag() -> None:
    found = soluble_solids(MODEL, GOOD, DEVICE.white(), DEVICE.dark())
    assert not found.flags.any()
    assert found.ssc_brix == pytest.approx(13.0, abs=2.0)
    assert (found.ssc_brix_sd > MODEL.standard_error_brix).all()


def test_folded_coefficients_equal_the_scikit_learn_pipeline() -> None:
    """The pipeline built from public parts only: log ratio, StandardScaler per row, savgol_filter, PLSRegression."""
    pipeline = make_pipeline(
        FunctionTransformer(lambda share: -np.log10(share)),
        FunctionTransformer(lambda x: StandardScaler().fit_transform(x.T).T),
        FunctionTransformer(lambda x: savgol_filter(x, 15, 2, deriv=1)),
        PLSRegression(MODEL.components, scale=False),
    )

    def share(reference: ReferenceFruit) -> np.ndarray:
        counts, white, dark = (t[:, USED] for t in (reference.counts, reference.white, reference.dark))
        return (counts - dark) / (white - dark)

    pipeline.fit(share(REFERENCE), REFERENCE.ssc_brix)
    fresh = simulated_reference_fruit(200, 32)
    found = soluble_solids(MODEL, fresh.counts, fresh.white, fresh.dark)
    good = found.flags == 0
    assert good.sum() > 180
    assert found.ssc_brix[good] == pytest.approx(pipeline.predict(share(fresh)).ravel()[good], abs=1e-8)


def test_leverage_is_that_of_the_scores_and_the_standard_error_grows_with_it() -> None:
    found = soluble_solids(MODEL, REFERENCE.counts, REFERENCE.white, REFERENCE.dark)
    good = found.flags == 0
    leverage = (found.ssc_brix_sd[good] / MODEL.standard_error_brix) ** 2 - 1.0
    # Over the calibration set itself leverages sum to the number of components and the intercept.
    assert leverage.mean() * MODEL.n_fruit == pytest.approx(MODEL.components + 1, rel=0.08)
    assert leverage.min() >= 1.0 / MODEL.n_fruit
    usual = np.abs(found.ssc_brix[good] - REFERENCE.ssc_brix.mean()) < 1.0
    assert leverage[~usual].mean() > leverage[usual].mean()


@pytest.mark.parametrize("channel", [0, 40, 100, 200])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -1.0])
def test_a_value_that_is_no_count_is_damaged_in_whatever_channel(channel: int, value: float) -> None:
    counts = GOOD.copy()
    counts[3, channel] = value
    assert _flags(counts) == [Flag.SPECTRUM_DAMAGED if row == 3 else 0 for row in range(N)]


def test_a_saturated_scan_is_flagged_only_where_the_model_looks() -> None:
    counts = GOOD.copy()
    counts[2, MODEL.first_channel + 5] = 65535.0
    counts[4, 0] = 65535.0
    assert _flags(counts)[2] & Flag.SPECTRUM_SATURATED
    assert _flags(counts)[4] == 0


def test_a_scan_in_the_dark_is_dark_also_when_only_one_channel_is() -> None:
    counts = GOOD.copy()
    counts[0] = DEVICE.dark(hours=0.3)
    counts[1] = 0.0
    counts[2, MODEL.stop_channel - 3] = 10.0
    assert [bool(flags & Flag.SPECTRUM_DARK) for flags in _flags(counts)[:4]] == [True, True, True, False]


def test_a_scan_with_another_number_of_channels_or_other_wavelengths_is_damaged() -> None:
    assert _flags(GOOD[:, :-1]) == [Flag.SPECTRUM_DAMAGED] * N
    nm = np.array(DEVICE.wavelengths_nm)
    assert _flags(GOOD, wavelengths_nm=tuple(nm)) == [0] * N
    assert _flags(GOOD, wavelengths_nm=tuple(nm + 1.0)) == [Flag.SPECTRUM_DAMAGED] * N
    assert not same_channels(MODEL, nm[:-1].tolist())


def test_scans_of_all_lengths_become_rows_and_only_whole_ones_keep_their_counts() -> None:
    scans = [
        Scan(lane=0, pulse=Pulse(1), t_ns=HostNs(1), counts=counts)
        for counts in (GOOD[0], GOOD[1][:-1], np.zeros(0, np.float32), GOOD[2])
    ]
    counts = scan_matrix(scans, MODEL)
    assert _flags(counts) == [0, Flag.SPECTRUM_DAMAGED, Flag.SPECTRUM_DAMAGED, 0]
    assert np.array_equal(counts[3], GOOD[2])


@pytest.mark.parametrize("what", ["nan", "below dark", "saturated"])
def test_a_bad_white_reference_takes_the_number_from_its_own_fruit_only(what: str) -> None:
    white = np.tile(DEVICE.white(), (N, 1))
    middle = (MODEL.first_channel + MODEL.stop_channel) // 2
    white[5, middle] = {"nan": np.nan, "below dark": 100.0, "saturated": 65535.0}[what]
    flag = Flag.SPECTRUM_SATURATED if what == "saturated" else Flag.SPECTRUM_DAMAGED
    assert _flags(GOOD, white, DEVICE.dark()) == [flag if row == 5 else 0 for row in range(N)]


def test_without_references_the_models_own_are_used() -> None:
    assert _flags(GOOD) == [0] * N
    own = soluble_solids(MODEL, GOOD)
    given_ = soluble_solids(MODEL, GOOD, MODEL.white_counts, MODEL.dark_counts)
    assert np.array_equal(own.ssc_brix, given_.ssc_brix)


def _foreign(kind: str) -> np.ndarray:
    white, dark = DEVICE.white(), DEVICE.dark()
    nm = np.array(DEVICE.wavelengths_nm)
    light = np.random.default_rng(1).standard_normal((N, len(nm)))
    if kind == "the tile instead of a fruit":
        return dark + (white - dark) * 0.6 + 130.0 * light
    if kind == "a slope without bands":
        return dark + (white - dark) * (nm / 1400.0) + 130.0 * light
    if kind == "a sheet of water":
        return dark + (GOOD - dark) * 10 ** (-0.8 * np.exp(-0.5 * ((nm - 970.0) / 22.0) ** 2))
    if kind == "a fruit with a band of its own":  # an oil, say, at 930 nm
        return dark + (GOOD - dark) * 10 ** (-0.15 * np.exp(-0.5 * ((nm - 930.0) / 8.0) ** 2))
    if kind == "one channel stuck":
        counts = GOOD.astype(np.float64)
        counts[:, MODEL.first_channel + 60] *= 1.3
        return counts
    if kind == "channels the wrong way round":
        return GOOD[:, ::-1]
    if kind == "wavelengths off by four channels":
        return np.roll(GOOD, 4, axis=1)
    assert kind == "the fruit before, half"
    return np.hstack([GOOD[:, :110], 0.5 * (GOOD[:, 110:] - dark[110:]) + dark[110:]])


@pytest.mark.parametrize(
    "kind",
    [
        "the tile instead of a fruit",
        "a slope without bands",
        "a sheet of water",
        "a fruit with a band of its own",
        "one channel stuck",
        "channels the wrong way round",
        "wavelengths off by four channels",
        "the fruit before, half",
    ],
)
def test_a_spectrum_unlike_the_calibration_set_gets_no_number(kind: str) -> None:
    assert _flags(_foreign(kind).astype(np.float32), DEVICE.white(), DEVICE.dark()) == [Flag.SPECTRUM_UNLIKE] * N


@pytest.mark.parametrize("component", range(MODEL.loadings.shape[1]))
def test_too_much_of_a_thing_the_calibration_set_knows_is_unlike_it_too(component: int) -> None:
    """Far out within the plane of the calibration spectra, where the distance from the plane says nothing."""
    far = 4.0 * np.sqrt(MODEL.t2_limit * MODEL.score_variance[component]) * MODEL.loadings[:, component]
    white, dark = MODEL.white_counts, MODEL.dark_counts
    counts = np.tile(white, (2, 1))
    for row, spectrum in enumerate((MODEL.centre, MODEL.centre + far)):
        counts[row, USED] = dark[USED] + (white - dark)[USED] * 10.0 ** (-0.1 * spectrum - 0.5)
    any_distance = replace(MODEL, q_limit=1e12, ssc_range_brix=(-1e3, 1e3))
    assert soluble_solids(any_distance, counts).flags.tolist() == [0, Flag.SPECTRUM_UNLIKE]


def test_a_value_beyond_the_calibrated_range_is_no_value() -> None:
    sweet = soluble_solids(replace(MODEL, ssc_range_brix=(9.0, 10.0)), GOOD)
    sour = soluble_solids(replace(MODEL, ssc_range_brix=(17.0, 18.0)), GOOD)
    assert (sweet.flags == Flag.SPECTRUM_UNLIKE).all() and (sour.flags == Flag.SPECTRUM_UNLIKE).all()
    assert np.isnan(sweet.ssc_brix).all()


def test_more_sugar_in_the_same_flesh_reads_higher() -> None:
    steps = [soluble_solids(MODEL, _scans(40, ssc_brix=ssc)).ssc_brix for ssc in (10.0, 11.5, 13.0, 14.5, 16.0)]
    means = np.array([np.nanmean(step) for step in steps])
    assert (np.diff(means) > 0.75 * 1.5).all() and (np.diff(means) < 1.2 * 1.5).all()


def _warming_brix(model: SugarModel) -> float:
    """How much higher the same fruit read at 28 °C than at 12 °C, references of their own day."""
    white, dark = DEVICE.white(), DEVICE.dark()
    scans = [_scans(60, fruit_temp_c=temperature, hours=0.0) for temperature in (12.0, 28.0)]
    cold, warm = (soluble_solids(replace(model, t2_limit=1e9, q_limit=1e9), scan, white, dark) for scan in scans)
    return float(np.nanmean(warm.ssc_brix - cold.ssc_brix))


def test_sixteen_degrees_of_warming_move_the_value_little_because_the_calibration_fruit_were_warm_and_cold() -> None:
    fruit = simulated_reference_fruit(400, 31, STATIC)
    blind = fit_sugar_model(fruit.rows(usable(fruit)), name="one temperature", version="1")
    assert abs(_warming_brix(MODEL)) < 0.35
    assert abs(_warming_brix(blind)) > 3.0 * abs(_warming_brix(MODEL))


def test_a_fruit_gets_the_same_value_alone_and_among_others() -> None:
    together = soluble_solids(MODEL, GOOD, DEVICE.white(), DEVICE.dark())
    for row in range(N):
        alone = soluble_solids(MODEL, GOOD[row : row + 1], DEVICE.white(), DEVICE.dark())
        assert alone.ssc_brix[0] == pytest.approx(together.ssc_brix[row], abs=1e-10)


def test_no_fruit_is_no_trouble() -> None:
    found = soluble_solids(MODEL, np.empty((0, len(MODEL.wavelengths_nm)), np.float32))
    assert found.ssc_brix.shape == found.ssc_brix_sd.shape == found.flags.shape == (0,)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(
    arrays.arrays(np.float32, (3, 201), elements=st.floats(width=32), fill=st.floats(0, 65535, width=32)),
    st.lists(st.tuples(st.integers(0, 200), st.floats(width=32)), max_size=4),
)
def test_any_bytes_give_a_finite_number_or_a_flag(counts: np.ndarray, holes: list[tuple[int, float]]) -> None:
    _flags(counts)
    damaged = GOOD[:3].copy()
    for channel, value in holes:
        damaged[1, channel] = value
    found = soluble_solids(MODEL, damaged, DEVICE.white(), DEVICE.dark())
    assert found.flags[0] == found.flags[2] == 0
    assert found.flags[1] or 5.0 < found.ssc_brix[1] < 25.0


def test_the_lane_needs_no_scikit_learn() -> None:
    program = "import sys, grader.spectra.sugar; sys.exit('sklearn' in sys.modules or 'scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0


def test_a_narrower_window_is_the_recipes_word() -> None:
    model = fit_sugar_model(REFERENCE, Recipe(window_nm=(780.0, 1000.0)), name="narrow", version="1")
    used = model.wavelengths_nm[model.first_channel : model.stop_channel]
    assert (used[0], used[-1]) == (780.0, 1000.0)
