"""Grading as one would do it by hand: one fruit, plain dictionaries, decimal numbers, no shortcuts.

It shares no code with grader.grading and reads the sheet as the document that was typed.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

DECIMALS = {"diameter_mm": 2, "mass_g": 2, "blush_fraction": 4, "defect_area_mm2": 1, "largest_defect_mm2": 1}
DECIMALS |= {"defect_count": 0, "ssc_brix": 2, "roundness": 3, "height_mm": 2}


def tabled(name: str, value: float) -> Decimal | None:
    """The value as fruit.csv shows it."""
    return None if math.isnan(value) else Decimal(round(value * 10 ** DECIMALS[name])).scaleb(-DECIMALS[name])


def rounded_to(value: Decimal, step: Decimal) -> Decimal:
    return (value / step).to_integral_value("ROUND_HALF_EVEN") * step


def looked_at(key: str, limit: dict[str, Any], fruit: dict[str, float]) -> Decimal | None:
    names = [name.strip() for name in key.split("+")]
    if "step" in limit and len(names) == 1:
        if math.isnan(fruit[names[0]]):
            return None
        return rounded_to(Decimal(fruit[names[0]]), Decimal(str(limit["step"])))
    terms = [tabled(name, fruit[name]) for name in names]
    if any(term is None for term in terms):
        return None
    return sum((term for term in terms if term is not None), Decimal(0))


def bound_of(bounds: Any, group: str, size: str) -> float | None:
    if isinstance(bounds, dict):
        return bounds.get(group, bounds.get(size))
    return bounds


def keeps(key: str, limit: dict[str, Any], fruit: dict[str, float], group: str, size: str) -> bool:
    if limit.get("checked") is False or "words" in limit:
        return True
    value = looked_at(key, limit, fruit)
    for name in ("min", "max"):
        bound = bound_of(limit.get(name), group, size)
        if bound is None:
            continue
        number = Decimal(str(bound))
        if "at_diameter_mm" in limit:
            diameter = tabled("diameter_mm", fruit["diameter_mm"])
            if diameter is None or value is None:
                if limit.get("missing", "fail") == "fail":
                    return False
                continue
            number *= (diameter / Decimal(str(limit["at_diameter_mm"]))) ** 2
        if value is None:
            if limit.get("missing", "fail") == "fail":
                return False
        elif value < number if name == "min" else value > number:
            return False
    return True


def keeps_all(needs: dict[str, Any], fruit: dict[str, float], group: str, size: str, flags: set[str]) -> bool:
    def holds(rule: dict[str, Any]) -> bool:
        return ("only" not in rule or rule["only"] in flags) and rule.get("unless") not in flags

    def reaches(way: dict[str, float]) -> bool:
        values = {name: tabled(name, fruit[name]) for name in way}
        return all(value is not None and value >= Decimal(str(way[name])) for name, value in values.items())

    return all(
        keeps(key, limit, fruit, group, size) for key, limit in needs.get("limits", {}).items() if holds(limit)
    ) and all(any(map(reaches, rule["at_least"])) for rule in needs.get("one_of", []) if holds(rule))


def size_of(sheet: dict[str, Any], fruit: dict[str, float]) -> str:
    if "sizes" not in sheet:
        return ""
    value = tabled(sheet["sizes"]["by"], fruit[sheet["sizes"]["by"]])
    for band in sheet["sizes"]["bands"]:
        if value is None or ("from" in band and value < Decimal(str(band["from"]))):
            continue
        if ("to" in band and value > Decimal(str(band["to"]))) or (
            "below" in band and value >= Decimal(str(band["below"]))
        ):
            continue
        return str(band["name"])
    return ""


def judged(sheet: dict[str, Any], fruit: dict[str, float], group: str, flags: set[str]) -> tuple[str, str, str]:
    """Names of class, size and product; empty for none."""
    size = size_of(sheet, fruit)
    minimum = keeps_all(sheet.get("minimum", {}), fruit, group, size, flags)
    kept = [each["name"] for each in sheet["classes"] if keeps_all(each, fruit, group, size, flags)]
    grade = kept[0] if minimum and kept else ""
    for product in sheet.get("products", []):
        if grade in product["classes"] and ("sizes" not in product or size in product["sizes"]):
            return grade, size, product["name"]
    return grade, size, ""
