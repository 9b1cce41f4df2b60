"""The grade sheet: what the buyer asked for, in the trade's words and units, each rule with its source.

A sheet is TOML. The shortest one that grades:

    name     = "Corner shop"
    fruit    = "apple"
    standard = "agreed by telephone"
    edition  = "2026-11"
    status   = "project_default"

    [[classes]]
    name = "Red"
    [classes.limits]
    blush_fraction = { min = 0.60 }
    "bruise_area_mm2 + scab_area_mm2" = { max = 100, checked = false }

    [[classes]]
    name = "Any"

    [[products]]
    name = "Red apples"
    classes = ["Red"]
    outlets = [1, 2]

Classes stand best first; a fruit belongs to the first whose every rule it keeps, and a class without rules takes what
is left. Limits are inclusive: `min` passes at >=, `max` at <=. A value is rounded to the decimals of the table
(`QUANTITIES`), or to the rule's own `step`, before it is compared: so the table explains the decision. Nothing else is
done near a limit: a value within its measurement uncertainty is a value like any other.

Rotten fruit leave at the first gate, where they touch nothing that others go through; no other product and no sample
has that outlet then. And of a class every so many fruit may go to the bench where people look at them:

    [[products]]
    name = "Rot"
    classes = ["Rot"]
    outlets = [1]
    rot = true

    [[sampling]]
    class = "Red"
    every = 50
    outlet = 8

These are the records only. `faults` says what is wrong with a sheet, `compiled` makes it ready for `judge`.
"""

from __future__ import annotations

import datetime
from typing import Literal

import msgspec

from grader.domain.colour import USUAL_BLUSH_TO_DEG

RuleStatus = Literal["official", "secondary", "derived", "project_default"]
"""How sure a number is: read in the official text; told by others; worked out from such; our own choice."""

SheetStatus = Literal["official", "based_on", "project_default"]

Bounds = float | dict[str, float] | None
"""One limit for all fruit, or one per colour group or per size band: a group or band not named has none."""


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every rule carries.

    section, source: where it is written; source is the sheet's standard unless said. status: the
    sheet's own unless said. only, unless: a variety flag (EU: M, R, V) that the rule is for, or not for.
    """

    section: str = ""
    source: str = ""
    status: RuleStatus | None = None
    note: str = ""
    only: str = ""
    unless: str = ""


class Limit(Rule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one quantity must keep to. Its key in the sheet is the quantity, or a sum: `a_mm2 + b_mm2`.

    step: values are rounded to it before they are compared; absent: the decimals of the table.
    at_diameter_mm: an area limit is meant for a fruit of this diameter and grows with the square of it.
    missing: what a fruit without this value does. checked = false: the station cannot measure it, every
    report says so. words: what the text asks without a number; never checked.
    """

    min: Bounds = None
    max: Bounds = None
    step: float | None = None
    at_diameter_mm: float | None = None
    missing: Literal["fail", "pass"] = "fail"
    checked: bool = True
    words: str = ""

    @property
    def is_checked(self) -> bool:
        """False for a rule that only appears in reports as "not checked"."""
        return self.checked and not self.words


class OneOf(Rule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule that is kept in any of several ways, each a table of least values that must all be reached.

    A value that was not measured does not reach anything.
    """

    name: str
    at_least: tuple[dict[str, float], ...]


class Needs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules that hold together: all must be kept."""

    limits: dict[str, Limit] = {}
    one_of: tuple[OneOf, ...] = ()


class GradeClass(Needs, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One quality class."""

    name: str


class SizeBand(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One size: from `from` (inclusive) to `to` (inclusive) or up to `below` (exclusive); open where absent."""

    name: str
    from_: float | None = msgspec.field(default=None, name="from")
    to: float | None = None
    below: float | None = None


class Sizes(Rule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Size bands by one quantity. overlap = "first": where bands overlap, the first listed takes the fruit."""

    by: str
    bands: tuple[SizeBand, ...]
    overlap: Literal["error", "first"] = "error"


class Blush(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is called blush: skin of hues up to to_deg, a CIELAB hue angle (D65), or for varieties that are named up to
    theirs. What lies beyond is ground colour. source: who says so, for whoever reads the sheet."""

    source: str = ""
    to_deg: float = USUAL_BLUSH_TO_DEG
    varieties: dict[str, float] = {}

    def to_deg_of(self, variety: str) -> float:
        """Where it ends for a variety."""
        return next((deg for name, deg in self.varieties.items() if _named_in(variety, (name,))), self.to_deg)


class Product(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is packed together, and where. sizes absent: any size, and none. outlets: a list, or a table
    outlet = weight when one of them takes more than another; the same in every lane. rot: what soils all that it
    touches; it leaves at the first gate."""

    name: str
    classes: tuple[str, ...]
    sizes: tuple[str, ...] | None = None
    outlets: tuple[int, ...] | dict[int, int]
    rot: bool = False

    @property
    def weights(self) -> dict[int, int]:
        """Outlet to weight, in the order of the sheet."""
        return self.outlets if isinstance(self.outlets, dict) else dict.fromkeys(self.outlets, 1)


class Sampling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every so many fruit of a class, counted in each lot over all lanes in the order of the belt, go to `outlet`. They
    keep class and size."""

    class_: str = msgspec.field(name="class")
    every: int
    outlet: int


class Sheet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole grade sheet.

    groups: colour group to its varieties; variety_flags: flag to its varieties. group: set it for a
    variety that is in no list; unlisted_group: the group of every variety that is in no list, where
    the standard says so. minimum: rules of every class.
    """

    name: str
    fruit: str
    standard: str
    edition: str
    status: SheetStatus
    date_checked: datetime.date | None = None
    note: str = ""
    variety: str = ""
    group: str = ""
    unlisted_group: str = ""
    groups: dict[str, tuple[str, ...]] = {}
    variety_flags: dict[str, tuple[str, ...]] = {}
    blush: Blush = Blush()
    minimum: Needs = Needs()
    classes: tuple[GradeClass, ...]
    sizes: Sizes | None = None
    products: tuple[Product, ...] = ()
    sampling: tuple[Sampling, ...] = ()

    def rule_status(self, rule: Rule) -> RuleStatus:
        """The rule's own status, or what the sheet's means for its rules."""
        inherited: dict[SheetStatus, RuleStatus] = {
            "official": "official",
            "based_on": "secondary",
            "project_default": "project_default",
        }
        return rule.status or inherited[self.status]

    def group_of(self, variety: str) -> str:
        """The colour group that holds for a variety; empty when the sheet cannot tell."""
        if self.group:
            return self.group
        for group, varieties in self.groups.items():
            if _named_in(variety, varieties):
                return group
        return self.unlisted_group if variety else ""

    def flags_of(self, variety: str) -> frozenset[str]:
        """The flags that a variety carries."""
        return frozenset(flag for flag, varieties in self.variety_flags.items() if _named_in(variety, varieties))


def quantities_in(key: str) -> tuple[str, ...]:
    """The quantities that a key of `limits` names: one, or the terms of a sum."""
    return tuple(term.strip() for term in key.split("+"))


def _named_in(variety: str, varieties: tuple[str, ...]) -> bool:
    return variety.strip().casefold() in {name.strip().casefold() for name in varieties}
