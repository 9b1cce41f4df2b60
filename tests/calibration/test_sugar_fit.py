"""The fit: honest errors over lots, the right number of components, the same bytes twice, and real fruit."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.cross_decomposition import PLSRegression
from sklearn.model_selection import GroupKFold, cross_val_score

from calibration.sugar import (
    Recipe,
    components_by_lots,
    derivative_matrix,
    fit_sugar_model,
    make_default_sugar_model,
    nested_validation,
    usable,
)
from calibration.sugar_reference import ReferenceFruit, simulated_reference_fruit
from grader.domain.artefacts import SugarModel
from grader.spectra.absorbance import absorbance, standard_normal_variate
from grader.spectra.sugar import soluble_solids
from grader.storage.artefacts import load_artefact


@pytest.fixture(scope="module")
def default_model(tmp_path_factory: pytest.TempPathFactory) -> SugarModel:
    return make_default_sugar_model(tmp_path_factory.mktemp("models") / "sugar.npz")


@pytest.fixture(scope="module")
def unseen() -> ReferenceFruit:
    return simulated_reference_fruit(1200, 9001)


def _rmse(error: np.ndarray) -> float:
    return float(np.sqrt((error**2).mean()))


def test_unseen_lots_with_drift_and_temperature_read_within_half_a_degree_brix(
    default_model: SugarModel, unseen: ReferenceFruit
) -> None:
    found = soluble_solids(default_model, unseen.counts, unseen.white, unseen.dark)
    good = found.flags == 0
    error = found.ssc_brix[good] - unseen.ssc_brix[good]
    assert good.mean() > 0.98
    assert 0.25 < _rmse(error) < 0.50  # below 0.25 the simulator would have become too easy
    assert abs(error.mean()) < 0.1
    inside = (np.abs(error) < 1.96 * found.ssc_brix_sd[good]).mean()
    assert 0.92 < inside < 0.98


def test_the_single_channel_at_the_sugar_band_tells_nothing(unseen: ReferenceFruit) -> None:
    """What makes the simulated fruit honest: sugar cannot be read off a band, raw or as a ratio of two."""
    spectra = absorbance(unseen.counts, unseen.white, unseen.dark)
    channel = {nm: int(np.argmin(np.abs(unseen.wavelengths_nm - nm))) for nm in (850, 910)}
    for naive in (spectra[:, channel[910]], spectra[:, channel[910]] - spectra[:, channel[850]]):
        slope, intercept = np.polyfit(naive, unseen.ssc_brix, 1)  # fitted on the very fruit it is judged on
        assert _rmse(slope * naive + intercept - unseen.ssc_brix) > 1.0


def test_the_same_fruit_give_the_same_bytes(tmp_path: Path, default_model: SugarModel) -> None:
    again = make_default_sugar_model(tmp_path / "a.npz")
    make_default_sugar_model(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    loaded, _ = load_artefact(tmp_path / "a.npz", SugarModel)
    assert loaded.training_sha256 == again.training_sha256 == default_model.training_sha256
    assert np.array_equal(loaded.coefficients, default_model.coefficients)


def test_another_training_set_has_another_name() -> None:
    fruit = simulated_reference_fruit(30, 1)
    changed = replace(fruit, ssc_brix=fruit.ssc_brix + np.eye(30)[3] * 1e-9)
    assert fruit.sha256() == simulated_reference_fruit(30, 1).sha256() != changed.sha256()


def _mixtures(seed: int, lots: int, shift: float, rank: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Linear mixtures of `rank` random bands, the first of which is what is sought; every lot shifts the value."""
    draw = np.random.default_rng(seed)
    lot = np.repeat(np.arange(lots), 12)
    shares = draw.standard_normal((len(lot), rank))
    bands = np.random.default_rng(1).standard_normal((rank, 40))
    spectra = shares @ bands + 0.01 * draw.standard_normal((len(lot), 40))
    return spectra, 10.0 + shares[:, 0] + shift * draw.standard_normal(lots)[lot], lot


@pytest.mark.parametrize("rank", [2, 3, 5])
def test_a_mixture_of_so_many_things_needs_no_more_components(rank: int) -> None:
    spectra, value, lot = _mixtures(2, lots=12, shift=0.0, rank=rank)
    recipe = Recipe(most_components=10)
    assert 2 <= components_by_lots(spectra, value, lot, recipe) <= rank
    assert nested_validation(spectra, value, lot, recipe).rmse_brix(value) < 0.05


def test_the_fewest_components_within_one_standard_error_of_the_best_are_taken() -> None:
    """The rule worked out again with scikit-learn's own cross-validation, a model fitted anew for each number."""
    fruit = simulated_reference_fruit(240, 6)
    fruit = fruit.rows(usable(fruit))
    used = (fruit.wavelengths_nm >= 700.0) & (fruit.wavelengths_nm <= 1050.0)
    spectra = standard_normal_variate(absorbance(*(t[:, used] for t in (fruit.counts, fruit.white, fruit.dark))))
    squared = np.array(
        [
            -cross_val_score(
                PLSRegression(components, scale=False),
                spectra,
                fruit.ssc_brix,
                groups=fruit.lots,
                cv=GroupKFold(6),
                scoring="neg_mean_squared_error",
            )
            for components in range(1, 13)
        ]
    )
    mean, error = squared.mean(axis=1), squared.std(axis=1, ddof=1) / np.sqrt(6)
    best = int(mean.argmin())
    fewest = next(k for k in range(12) if mean[k] <= mean[best] + error[best])
    assert fewest < best
    assert components_by_lots(spectra, fruit.ssc_brix, fruit.lots, Recipe()) == fewest + 1


def test_the_standard_error_is_that_of_a_lot_never_seen() -> None:
    """Each lot is off by SD 0.5, and its spectra tell which lot it is: splitting rows would hide the error."""
    spectra, value, lot = _mixtures(3, lots=15, shift=0.5)
    spectra = np.hstack([spectra, np.eye(15)[lot] * 3.0])
    recipe = Recipe(most_components=16)
    over_lots = nested_validation(spectra, value, lot, recipe).rmse_brix(value)
    over_rows = nested_validation(spectra, value, np.arange(len(lot)), recipe).rmse_brix(value)
    assert over_lots > 0.4
    assert over_rows < 0.1


def test_nothing_to_learn_is_found_to_be_nothing() -> None:
    draw = np.random.default_rng(4)
    spectra, value, lot = draw.standard_normal((240, 60)), draw.standard_normal(240), np.repeat(np.arange(12), 20)
    assert nested_validation(spectra, value, lot, Recipe()).rmse_brix(value) > 0.95 * value.std()


def test_too_few_lots_or_channels_or_an_unusable_scan_are_refused_in_words() -> None:
    fruit = simulated_reference_fruit(90, 5)
    fruit = fruit.rows(usable(fruit))
    with pytest.raises(ValueError, match="2 lots: three at least"):
        fit_sugar_model(fruit.rows(fruit.lots < 2), name="x", version="1")
    with pytest.raises(ValueError, match="channels from 300"):
        fit_sugar_model(fruit, Recipe(window_nm=(300.0, 500.0)), name="x", version="1")
    for value in (np.nan, 0.0, 65535.0):
        counts = fruit.counts.copy()
        counts[7, 100] = value
        with pytest.raises(ValueError, match="the first is 7"):
            fit_sugar_model(replace(fruit, counts=counts), name="x", version="1")


def _real_fruit(table: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """wavelengths_nm, absorbance (scans, channels), Brix of each scan, whole number of its fruit."""
    with table.open(newline="") as file:
        header, *rows = csv.reader(file)
    channels = [column for column, name in enumerate(header) if name[0].isdigit()]
    spectra = np.array([[float(row[column]) for column in channels] for row in rows])
    ssc_brix = np.array([float(row[header.index("Brix")]) for row in rows])
    fruit = np.unique([row[header.index("fruit_id")] for row in rows], return_inverse=True)[1]
    return np.array([float(header[column]) for column in channels]), spectra, ssc_brix, fruit


def _plain_pls(spectra: np.ndarray, ssc_brix: np.ndarray, fruit: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Errors per fruit (mean of its scans), nested and grouped, on second derivatives without any other step."""
    smooth = derivative_matrix(spectra.shape[1], recipe)
    predicted = nested_validation(spectra @ smooth, ssc_brix, fruit, recipe).predicted_brix
    return np.bincount(fruit, predicted - ssc_brix) / np.bincount(fruit)


def test_tomatoes_never_seen_read_within_a_third_of_a_degree_brix(shared_data: Path) -> None:
    """59 tomatoes, cut; the figure to beat is 0.30. Ours with the one-standard-error rule: 0.32."""
    _, spectra, ssc_brix, fruit = _real_fruit(shared_data / "tomato_nir_brix" / "tomato_micronir.csv")
    recipe = Recipe(window_channels=17, derivative=2, most_components=15)
    assert 0.25 < _rmse(_plain_pls(spectra, ssc_brix, fruit, recipe)) < 0.34


@pytest.mark.parametrize(
    ("table", "derivative", "folds", "at_most_brix"),
    # Spread of the fruit 2.16 and 0.99. 28 plums are few: each is left out alone; ten at a time 0.78 was found.
    [("peach", 2, 10, 1.85), ("plum", 1, 28, 0.70)],
)
def test_small_sets_of_peaches_and_plums_beat_their_own_spread(
    shared_data: Path, table: str, derivative: int, folds: int, at_most_brix: float
) -> None:
    _, spectra, ssc_brix, fruit = _real_fruit(shared_data / "peach_plum_nir" / f"{table}.csv")
    recipe = Recipe(window_channels=17, derivative=derivative, most_components=10, folds=folds)
    assert _rmse(_plain_pls(spectra, ssc_brix, fruit, recipe)) < at_most_brix


def test_a_model_of_real_tomatoes_is_an_artefact_like_any_other(shared_data: Path) -> None:
    """Absorbance of the real scans as counts of a tile at 60000: the whole way, from counts to a standard error."""
    nm, spectra, ssc_brix, fruit = _real_fruit(shared_data / "tomato_nir_brix" / "tomato_micronir.csv")
    reference = ReferenceFruit(
        fruit="tomato",
        wavelengths_nm=nm,
        counts=100.0 + 60000.0 * 10.0**-spectra,
        white=np.full(spectra.shape, 60100.0),
        dark=np.full(spectra.shape, 100.0),
        ssc_brix=ssc_brix,
        lots=fruit.astype(np.int64),
    )
    recipe = Recipe(window_nm=(900.0, 1700.0), window_channels=17, derivative=2)
    model = fit_sugar_model(reference, recipe, name="tomato", version="1")
    assert 0.3 < model.standard_error_brix < 0.56  # per scan; the spread of the fruit is 0.56
    found = soluble_solids(model, reference.counts.astype(np.float32))
    good = found.flags == 0
    assert good.mean() > 0.95
    assert _rmse(found.ssc_brix[good] - ssc_brix[good]) < model.standard_error_brix
    upside_down = soluble_solids(model, reference.counts[:, ::-1].astype(np.float32))
    assert (upside_down.flags != 0).all()


def test_the_derivative_of_a_straight_line_is_its_slope_also_at_the_ends() -> None:
    line = 3.0 + 0.25 * np.arange(40.0)
    assert line @ derivative_matrix(40, Recipe()) == pytest.approx(np.full(40, 0.25))
    parabola = np.arange(40.0) ** 2
    assert parabola @ derivative_matrix(40, Recipe(derivative=2)) == pytest.approx(np.full(40, 2.0))


def test_the_variate_of_calibration_is_that_of_the_lane(default_model: SugarModel) -> None:
    """The stored centre is the mean of the very spectra that the lane would compute."""
    fruit = simulated_reference_fruit(800, 20)
    fruit = fruit.rows(usable(fruit))
    used = slice(default_model.first_channel, default_model.stop_channel)
    spectra = standard_normal_variate(absorbance(*(t[:, used] for t in (fruit.counts, fruit.white, fruit.dark))))
    assert default_model.centre == pytest.approx(spectra.mean(axis=0), abs=1e-12)
