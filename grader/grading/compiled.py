"""A sheet made ready for `judge`: names become indices, rules become checks of one variety."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from grader.errors import BadSettings
from grader.grading.allocate import ProductOutlets
from grader.grading.faults import faults
from grader.grading.sheet import Bounds, Limit, Needs, OneOf, RuleStatus, Sampling, Sheet, quantities_in
from grader.grading.steps import Numbers, band_steps, first_step, last_step, table_step

EVERY_CLASS = -1
"""Owner of the rules under [minimum]."""


@dataclass(frozen=True, slots=True)
class Bound:
    """One comparison. limits: (n_sizes + 1,) by size band, the last for fruit in none, or (1,) for all;
    -inf or inf where there is none. at_diameter_mm: NaN unless limits grow with the fruit's diameter squared."""

    quantities: tuple[str, ...]
    sense: Literal["min", "max"]
    limits: Numbers
    step: float
    at_diameter_mm: float = float("nan")
    passes_missing: bool = False

    @property
    def title(self) -> str:
        """As the sheet names it."""
        return " + ".join(self.quantities)

    def in_steps(self, limits: Numbers) -> Numbers:
        """Limits as whole steps: the outermost step that still keeps them."""
        return first_step(limits, self.step) if self.sense == "min" else last_step(limits, self.step)


@dataclass(frozen=True, slots=True)
class Check:
    """One bit of `Grades.missed`. Kept when every bound of any of the ways is. owner: class index or EVERY_CLASS."""

    owner: int
    name: str
    ways: tuple[tuple[Bound, ...], ...]
    source: str
    status: RuleStatus


@dataclass(frozen=True, slots=True)
class NotChecked:
    """A rule of the sheet that this station does not judge; every report says so."""

    class_name: str
    rule: str
    source: str

    def __str__(self) -> str:
        return f"{self.class_name}: {self.rule} (not checked)"


@dataclass(frozen=True, slots=True)
class CompiledSheet:
    """Ready to judge fruit of one variety.

    class_masks: (n_classes, n_words) uint64, the bits of `checks` that a class needs. size_from,
    size_to: (n_sizes,) inclusive edges in steps of size_step. product_of: (n_classes + 1, n_sizes + 1)
    int16, -1 for none; the last row is "no class", the last column "no size". samples: class index to every how
    many fruit go to which outlet.
    """

    sheet: Sheet
    variety: str
    group: str
    blush_to_deg: float
    class_names: tuple[str, ...]
    size_names: tuple[str, ...]
    product_names: tuple[str, ...]
    checks: tuple[Check, ...]
    not_checked: tuple[NotChecked, ...]
    class_masks: NDArray[np.uint64]
    size_by: str
    size_step: float
    size_from: Numbers
    size_to: Numbers
    product_of: NDArray[np.int16]
    outlets: ProductOutlets
    samples: dict[int, Sampling]

    @property
    def n_words(self) -> int:
        """64-bit words of missed rules per fruit."""
        return int(self.class_masks.shape[1])

    def class_name(self, index: int) -> str:
        """Of `Grades.grade`; empty for no class."""
        return self.class_names[index] if index >= 0 else ""

    def size_name(self, index: int) -> str:
        """Of `Grades.size`; empty for none."""
        return self.size_names[index] if index >= 0 else ""

    def product_name(self, index: int) -> str:
        """Of `Grades.product`; empty for none."""
        return self.product_names[index] if index >= 0 else ""


def compiled(sheet: Sheet, variety: str = "") -> CompiledSheet:
    """The sheet for fruit of one variety (of the lot); the sheet's own when none is given.

    Raises BadSettings, on the sheet's name, for its first fault that is no warning.
    """
    variety = variety or sheet.variety
    for fault in faults(sheet, variety=variety):
        if not fault.warning:
            raise BadSettings(sheet.name, fault.text, remedy=fault.remedy)
    class_names = tuple(grade.name for grade in sheet.classes)
    size_names = tuple(band.name for band in sheet.sizes.bands) if sheet.sizes else ()
    reader = _Reader(sheet, variety, size_names)
    owners: list[tuple[int, Needs]] = [(EVERY_CLASS, sheet.minimum), *enumerate(sheet.classes)]
    checks = tuple(check for owner, needs in owners for check in reader.checks(owner, needs))
    step, size_from, size_to = _size_edges(sheet)
    return CompiledSheet(
        sheet=sheet,
        variety=variety,
        group=sheet.group_of(variety),
        blush_to_deg=sheet.blush.to_deg_of(variety),
        class_names=class_names,
        size_names=size_names,
        product_names=tuple(product.name for product in sheet.products),
        checks=checks,
        not_checked=tuple(item for owner, needs in owners for item in reader.not_checked(owner, needs)),
        class_masks=_class_masks(checks, len(sheet.classes)),
        size_by=sheet.sizes.by if sheet.sizes else "",
        size_step=step,
        size_from=size_from,
        size_to=size_to,
        product_of=_product_table(sheet, size_names),
        outlets=ProductOutlets.of([product.weights for product in sheet.products]),
        samples={class_names.index(sampling.class_): sampling for sampling in sheet.sampling},
    )


class _Reader:
    """Turns rules into checks, for one variety of one sheet."""

    def __init__(self, sheet: Sheet, variety: str, size_names: tuple[str, ...]) -> None:
        self._sheet, self._size_names = sheet, size_names
        self._group, self._flags = sheet.group_of(variety), sheet.flags_of(variety)

    def checks(self, owner: int, needs: Needs) -> Iterator[Check]:
        """A check per limit that holds for this variety, min and max apart, then the alternatives."""
        for key, limit in needs.limits.items():
            if not (limit.is_checked and self._holds(limit)):
                continue
            for bound in self._bounds(key, limit):
                yield Check(owner, key, ((bound,),), self._source(limit), self._sheet.rule_status(limit))
        for rule in needs.one_of:
            if self._holds(rule):
                ways = tuple(tuple(_least(key, value) for key, value in way.items()) for way in rule.at_least)
                yield Check(owner, rule.name, ways, self._source(rule), self._sheet.rule_status(rule))

    def not_checked(self, owner: int, needs: Needs) -> Iterator[NotChecked]:
        """The rules that hold for this variety and that nobody looks at."""
        class_name = owner_name(self._sheet, owner)
        for key, limit in needs.limits.items():
            if limit.is_checked or not self._holds(limit):
                continue
            if limit.words:
                yield NotChecked(class_name, f"{key}: {limit.words}", self._source(limit))
            for sign, bounds in ((">=", limit.min), ("<=", limit.max)):
                value = bounds.get(self._group) if isinstance(bounds, dict) else bounds
                if value is not None:
                    yield NotChecked(class_name, f"{key} {sign} {value:g}", self._source(limit))

    def _holds(self, rule: Limit | OneOf) -> bool:
        return (not rule.only or rule.only in self._flags) and rule.unless not in self._flags

    def _source(self, rule: Limit | OneOf) -> str:
        return ", ".join(part for part in (rule.source or self._sheet.standard, rule.section) if part)

    def _bounds(self, key: str, limit: Limit) -> Iterator[Bound]:
        quantities = quantities_in(key)
        senses: tuple[Literal["min", "max"], ...] = ("min", "max")
        for sense in senses:
            limits = self._limits(limit.min if sense == "min" else limit.max, -np.inf if sense == "min" else np.inf)
            if np.isfinite(limits).any():
                yield Bound(
                    quantities,
                    sense,
                    limits,
                    step=limit.step or table_step(quantities),
                    at_diameter_mm=limit.at_diameter_mm or float("nan"),
                    passes_missing=limit.missing == "pass",
                )

    def _limits(self, bounds: Bounds, none: float) -> Numbers:
        if not isinstance(bounds, dict):
            return np.array([none if bounds is None else bounds])
        if set(bounds) <= set(self._sheet.groups):
            return np.array([bounds.get(self._group, none)])
        return np.array([*(bounds.get(name, none) for name in self._size_names), none])


def owner_name(sheet: Sheet, owner: int) -> str:
    """The class that a rule belongs to, as a reader sees it."""
    return "every class" if owner == EVERY_CLASS else sheet.classes[owner].name


def _least(key: str, value: float) -> Bound:
    quantities = quantities_in(key)
    return Bound(quantities, "min", np.array([value]), step=table_step(quantities))


def _class_masks(checks: tuple[Check, ...], n_classes: int) -> NDArray[np.uint64]:
    masks = np.zeros((n_classes, max(1, -(-len(checks) // 64))), np.uint64)
    for bit, check in enumerate(checks):
        rows = slice(None) if check.owner == EVERY_CLASS else check.owner
        masks[rows, bit // 64] |= np.uint64(1 << (bit % 64))
    return masks


def _size_edges(sheet: Sheet) -> tuple[float, Numbers, Numbers]:
    """Step, and inclusive first and last step of each band; an exclusive `below` ends one step earlier."""
    if sheet.sizes is None:
        return 1.0, np.zeros(0), np.zeros(0)
    step = table_step((sheet.sizes.by,))
    edges = [band_steps(band.from_, band.to, band.below, step) for band in sheet.sizes.bands]
    return step, np.array([first for first, _ in edges]), np.array([last for _, last in edges])


def _product_table(sheet: Sheet, size_names: tuple[str, ...]) -> NDArray[np.int16]:
    table = np.full((len(sheet.classes) + 1, len(size_names) + 1), -1, np.int16)
    rows = {grade.name: row for row, grade in enumerate(sheet.classes)}
    for index, product in enumerate(sheet.products):
        columns = range(len(size_names) + 1) if product.sizes is None else map(size_names.index, product.sizes)
        for column in columns:
            table[[rows[name] for name in product.classes], column] = index
    return table
