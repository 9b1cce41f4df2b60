"""The sugar model: partial least squares on reference fruit, kept as one vector of coefficients.

    reference fruit ─ absorbance ─ standard normal variate ─ Savitzky-Golay derivative ─ PLS
        how many components: cross-validation over lots, then the one-standard-error rule
        its standard error:  the same, nested within a second cross-validation over lots
        unlike fruit:        principal components, limits from lots that were left out

A lot is whatever shares an error: a day, a grower, a body scanned several times. Fruit of one lot are never on both
sides of a split, so that the standard error is that of a lot which the model has never seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import savgol_filter
from scipy.stats import chi2
from sklearn.cross_decomposition import PLSRegression
from sklearn.model_selection import GroupKFold

from calibration.sugar_reference import Lots, ReferenceFruit, simulated_reference_fruit
from grader.domain.artefacts import SugarModel, Values
from grader.spectra.absorbance import absorbance, standard_normal_variate
from grader.spectra.sugar import distances
from grader.storage.artefacts import save_artefact


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a model is fitted. The defaults suit 600-1100 nm in steps of 2.5 nm.

    window_nm: the channels used: above the pigments, below the end of a silicon detector. window_channels, order,
    derivative: of the Savitzky-Golay filter. most_components: of the PLS. outlier_components: of the plane that T2 and
    Q are measured from; confidence: share of fruit like the calibration set that each of the two passes.
    folds: of every cross-validation over lots. saturation_counts, least_signal_counts: as in `SugarModel`.
    """

    window_nm: tuple[float, float] = (700.0, 1050.0)
    window_channels: int = 15
    order: int = 2
    derivative: int = 1
    most_components: int = 12
    outlier_components: int = 8
    confidence: float = 0.999
    folds: int = 10
    saturation_counts: float = 65535.0
    least_signal_counts: float = 1500.0


@dataclass(frozen=True, slots=True)
class Validation:
    """What nested cross-validation over lots found. predicted_brix (n,): each fruit by a model that saw no fruit of
    its lot, nor chose its components with it; components: those chosen in each outer fold."""

    predicted_brix: Values
    components: tuple[int, ...]

    def rmse_brix(self, ssc_brix: Values) -> float:
        """Root mean square error over fruit."""
        return float(np.sqrt(((self.predicted_brix - ssc_brix) ** 2).mean()))


def fit_sugar_model(reference: ReferenceFruit, recipe: Recipe | None = None, *, name: str, version: str) -> SugarModel:
    """A model of these fruit. Raises ValueError when there are too few lots or channels, or a scan is not `usable`."""
    recipe = recipe or Recipe()
    bad = np.flatnonzero(~usable(reference, recipe))
    if len(bad):
        raise ValueError(f"{len(bad)} scans are saturated, not above dark, or no numbers: the first is {bad[0]}")
    used = _used_channels(reference.wavelengths_nm, recipe)
    spectra = _spectra(reference, used)
    smooth = derivative_matrix(spectra.shape[1], recipe)
    lots, ssc_brix = reference.lots, reference.ssc_brix
    n = len(ssc_brix)
    components = components_by_lots(spectra @ smooth, ssc_brix, lots, recipe)
    pls = PLSRegression(components, scale=False).fit(spectra @ smooth, ssc_brix)
    coefficients = smooth @ pls.coef_[0]
    scores = np.asarray(pls.x_scores_)
    rmse_brix = nested_validation(spectra @ smooth, ssc_brix, lots, recipe).rmse_brix(ssc_brix)
    plane = _plane(spectra, recipe.outlier_components)
    t2_limit, q_limit = _limits(spectra, lots, recipe)
    temperature_c = reference.fruit_temp_c
    return SugarModel(
        name=name,
        version=version,
        fruit=reference.fruit,
        training_sha256=reference.sha256(),
        n_fruit=n,
        n_groups=len(np.unique(lots)),
        ssc_range_brix=(float(ssc_brix.min()), float(ssc_brix.max())),
        temperature_range_c=None if temperature_c is None else (float(temperature_c.min()), float(temperature_c.max())),
        preprocessing=(
            "absorbance",
            "standard normal variate",
            f"Savitzky-Golay derivative {recipe.derivative} ({recipe.window_channels} channels, order {recipe.order})",
            f"partial least squares ({components} components)",
        ),
        components=components,
        wavelengths_nm=reference.wavelengths_nm,
        first_channel=used.start,
        stop_channel=used.stop,
        white_counts=reference.white.mean(axis=0),
        dark_counts=reference.dark.mean(axis=0),
        saturation_counts=recipe.saturation_counts,
        least_signal_counts=recipe.least_signal_counts,
        intercept_brix=float(pls.intercept_[0] - spectra.mean(axis=0) @ coefficients),
        coefficients=coefficients,
        # The validated error is that of fruit with the set's own leverage, (components + 1) / n on average.
        standard_error_brix=rmse_brix / float(np.sqrt(1.0 + (components + 1) / n)),
        centre=plane.centre,
        score_weights=smooth @ pls.x_rotations_ / np.sqrt((scores**2).sum(axis=0)),
        loadings=plane.loadings,
        score_variance=plane.score_variance,
        residual_sd=plane.residual_sd,
        t2_limit=t2_limit,
        q_limit=q_limit,
    )


def usable(reference: ReferenceFruit, recipe: Recipe | None = None) -> NDArray[np.bool_]:
    """(n,) bool: scans that a model may be fitted on, finite, above dark and below saturation in the used channels."""
    recipe = recipe or Recipe()
    used = _used_channels(reference.wavelengths_nm, recipe)
    brightest = np.maximum(reference.counts[:, used], reference.white[:, used]).max(axis=1)
    whole = np.isfinite(_spectra(reference, used)).all(axis=1)
    return np.asarray(whole & (brightest < recipe.saturation_counts))


def derivative_matrix(channels: int, recipe: Recipe) -> Values:
    """(channels, channels): x @ matrix is the Savitzky-Golay derivative of x, polynomial at both ends. It is linear,
    so filtering the unit spectra gives the whole of it."""
    filtered = savgol_filter(np.eye(channels), recipe.window_channels, recipe.order, deriv=recipe.derivative, axis=1)
    return np.asarray(filtered, np.float64)


def components_by_lots(spectra: Values, ssc_brix: Values, lots: Lots, recipe: Recipe) -> int:
    """The fewest components whose error over lots is within one standard error of the least.

    Breiman, Friedman, Olshen, Stone: Classification and Regression Trees (1984), 3.4.3.
    """
    most = min(recipe.most_components, spectra.shape[1], len(np.unique(ssc_brix)) - 1)
    squared = np.array(
        [
            ((_by_components(spectra[train], ssc_brix[train], spectra[test], most) - ssc_brix[test]) ** 2).mean(axis=1)
            for train, test in _splits(lots, recipe.folds)
        ]
    )
    mean, error = squared.mean(axis=0), squared.std(axis=0, ddof=1) / np.sqrt(len(squared))
    best = int(mean.argmin())
    return int(np.argmax(mean <= mean[best] + error[best])) + 1


def nested_validation(spectra: Values, ssc_brix: Values, lots: Lots, recipe: Recipe) -> Validation:
    """Every fruit predicted by a model that never saw its lot, components chosen anew within each fold."""
    predicted = np.full(len(ssc_brix), np.nan)
    chosen = []
    for train, test in _splits(lots, recipe.folds):
        chosen.append(components_by_lots(spectra[train], ssc_brix[train], lots[train], recipe))
        predicted[test] = _by_components(spectra[train], ssc_brix[train], spectra[test], chosen[-1])[-1]
    return Validation(predicted, tuple(chosen))


def _by_components(train: Values, ssc_brix: Values, test: Values, most: int) -> Values:
    """(most, n_test): the prediction with 1, 2, ... components, from a single fit: PLS adds them one by one."""
    pls = PLSRegression(most, scale=False).fit(train, ssc_brix)
    scores = (test - train.mean(axis=0)) @ pls.x_rotations_
    return np.asarray(ssc_brix.mean() + np.cumsum(scores * pls.y_loadings_[0], axis=1).T)


def _splits(lots: Lots, folds: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Rows to fit and rows to test, lots whole; as many folds as there are lots if those are fewer."""
    n_lots = len(np.unique(lots))
    if n_lots < 3:
        raise ValueError(f"{n_lots} lots: three at least are needed to choose a model and to judge it")
    yield from GroupKFold(min(folds, n_lots)).split(lots, groups=lots)


def _used_channels(wavelengths_nm: Values, recipe: Recipe) -> slice:
    lowest, highest = recipe.window_nm
    inside = np.flatnonzero((wavelengths_nm >= lowest) & (wavelengths_nm <= highest))
    if len(inside) < recipe.window_channels:
        raise ValueError(f"{len(inside)} channels from {lowest} to {highest} nm: {recipe.window_channels} are needed")
    return slice(int(inside[0]), int(inside[-1]) + 1)


def _spectra(reference: ReferenceFruit, used: slice) -> Values:
    counts, white, dark = (table[:, used] for table in (reference.counts, reference.white, reference.dark))
    return standard_normal_variate(absorbance(counts, white, dark))


class _Plane(NamedTuple):
    """The calibration spectra's principal plane: as the fields of `SugarModel` of these names."""

    centre: Values
    loadings: Values
    score_variance: Values
    residual_sd: Values


def _plane(spectra: Values, components: int) -> _Plane:
    centre = spectra.mean(axis=0)
    _, singular, directions = np.linalg.svd(spectra - centre, full_matrices=False)
    loadings = np.ascontiguousarray(directions[:components].T)
    residual = (spectra - centre) @ (np.eye(len(centre)) - loadings @ loadings.T)
    freedom = len(spectra) - 1 - components
    return _Plane(
        centre, loadings, singular[:components] ** 2 / (len(spectra) - 1), np.sqrt((residual**2).sum(axis=0) / freedom)
    )


def _limits(spectra: Values, lots: Lots, recipe: Recipe) -> tuple[float, float]:
    """T2 and Q that `confidence` of the fruit of a lot left out stay below: scaled chi-square by moments.

    Pomerantsev: J. Chemometrics 22 (2008) 601.
    """
    t2, q = np.empty(len(lots)), np.empty(len(lots))
    for train, test in _splits(lots, recipe.folds):
        plane = _plane(spectra[train], recipe.outlier_components)
        t2[test], q[test] = distances(
            spectra[test] - plane.centre, plane.loadings, plane.score_variance, plane.residual_sd
        )
    return _chi_square_limit(t2, recipe.confidence), _chi_square_limit(q, recipe.confidence)


def _chi_square_limit(values: Values, confidence: float) -> float:
    freedom = 2.0 * values.mean() ** 2 / values.var()
    return float(values.mean() / freedom * chi2.ppf(confidence, freedom))


DEFAULT_FRUIT, DEFAULT_SEED = 800, 20
"""Of the model that a line without a station file uses."""


def make_default_sugar_model(path: Path) -> SugarModel:
    """Fit the simulated line's model and write it. The same bytes every time, on one machine and lock."""
    reference = simulated_reference_fruit(DEFAULT_FRUIT, DEFAULT_SEED)
    model = fit_sugar_model(reference.rows(usable(reference)), name="sugar_sim", version="1")
    save_artefact(path, model)
    return model
