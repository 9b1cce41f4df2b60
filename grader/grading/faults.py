"""What is wrong with a sheet: rules that cannot hold, bands with holes, classes that no fruit can reach."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

from grader.domain.colour import HUES_FROM_DEG, N_HUES
from grader.domain.faults import Fault, Path, did_you_mean
from grader.domain.fruit import QUANTITIES
from grader.grading.sheet import Bounds, GradeClass, Limit, Needs, OneOf, Rule, Sheet, SizeBand, Sizes, quantities_in
from grader.grading.steps import band_steps, table_step

MOST_OUTLETS = 8
"""Outlets of a lane with a gate, on the reference line."""

MOST_WEIGHT = 20
"""Of one outlet against its fellows: keeps the balancing in whole numbers of 64 bits."""

FIRST_GATE = 1
"""The outlet that a fruit comes to first."""

MOST_BETWEEN_SAMPLES = 1_000_000

_MOST_NAMES = 100
"""Classes, size bands or products of one sheet: their numbers are one byte."""


def faults(sheet: Sheet, *, variety: str | None = None, outlets: int = MOST_OUTLETS) -> list[Fault]:
    """Every fault of a sheet, in the order of the file.

    variety: of the lot, empty: it has none; None: no lot yet, then a sheet may wait for its variety. In
    both cases the sheet's own counts. outlets: of the line.
    """
    crowds = [fault for fault in _crowds(sheet) if not fault.warning]
    if crowds:
        return crowds
    found = [
        *_variety_faults(sheet, variety),
        *_blush_faults(sheet),
        *_needs_faults(sheet, ("minimum",), sheet.minimum),
        *_class_faults(sheet),
        *_size_faults(sheet),
        *_product_faults(sheet, outlets),
        *_rot_faults(sheet),
        *_sampling_faults(sheet, outlets),
    ]
    # What reads the sheet as a whole only speaks when its parts are sound.
    return found if any(not fault.warning for fault in found) else [*found, *_order_faults(sheet), *_unpacked(sheet)]


def _crowds(sheet: Sheet) -> Iterator[Fault]:
    if not sheet.classes:
        yield Fault(("classes",), "there is no class", "give at least one [[classes]], best first")
    bands = sheet.sizes.bands if sheet.sizes else ()
    lists: tuple[tuple[Path, tuple[object, ...]], ...] = (
        (("classes",), sheet.classes),
        (("sizes", "bands"), bands),
        (("products",), sheet.products),
        (("sampling",), sheet.sampling),
    )
    for path, entries in lists:
        if len(entries) > _MOST_NAMES:
            yield Fault(path, f"{len(entries)} entries", f"keep to {_MOST_NAMES}")


def _variety_faults(sheet: Sheet, variety: str | None) -> Iterator[Fault]:
    may_wait, variety = variety is None, variety or sheet.variety
    for key, group in (("group", sheet.group), ("unlisted_group", sheet.unlisted_group)):
        if group and group not in sheet.groups:
            yield Fault((key,), f'there is no colour group "{group}"', did_you_mean(group, sheet.groups))
    listed = Counter(name.casefold() for names in sheet.groups.values() for name in names)
    for group, names in sheet.groups.items():
        for index, name in enumerate(names):
            if listed[name.casefold()] > 1:
                yield Fault(("groups", group, index), f'variety "{name}" is listed twice', "leave it in one group")
    for size in sheet.sizes.bands if sheet.sizes else ():
        if size.name in sheet.groups:
            yield Fault(("groups", size.name), f'"{size.name}" is a size band too', "give one of them another name")
    if not _uses_groups(sheet) or sheet.group_of(variety):
        return
    if variety:
        text = f'variety "{variety}" is in no colour group'
        yield Fault(("variety",), text, _another_variety(sheet, variety, came_with_lot=variety != sheet.variety))
    else:
        yield Fault(
            ("groups",),
            "limits go by colour group, and the sheet names no variety",
            'set `variety = "..."`, or give the lot a variety',
            warning=may_wait,
        )


def _another_variety(sheet: Sheet, variety: str, *, came_with_lot: bool) -> str:
    """What to do about a variety of no group. One that came with the lot is no fault of the sheet, perhaps a preset."""
    known = did_you_mean(variety, [name for names in sheet.groups.values() for name in names])
    otherwise = f'set `group = "..."` at the top of {"a copy of the sheet" if came_with_lot else "the sheet"}'
    if came_with_lot:
        otherwise = f"give the lot another (--variety), or {otherwise}"
    return f"{known} if not, {otherwise}" if known.endswith("?") else f"{known}; or {otherwise}"


def _blush_faults(sheet: Sheet) -> Iterator[Fault]:
    last = HUES_FROM_DEG + N_HUES
    ends: list[tuple[Path, float]] = [(("blush", "to_deg"), sheet.blush.to_deg)]
    ends += [(("blush", "varieties", name), deg) for name, deg in sheet.blush.varieties.items()]
    named = Counter(name.strip().casefold() for name in sheet.blush.varieties)
    for name in sheet.blush.varieties:
        if not name.strip():
            yield Fault(("blush", "varieties", name), "a variety without a name", "name it, or set to_deg for all")
        elif named[name.strip().casefold()] > 1:
            yield Fault(("blush", "varieties", name), f'variety "{name}" is named twice', "leave one of the two")
    for path, deg in ends:
        if not HUES_FROM_DEG < deg < last:
            yield Fault(path, f"{deg:g} is no hue of skin", f"give degrees between {HUES_FROM_DEG} and {last}")


def _uses_groups(sheet: Sheet) -> bool:
    limits = [limit for needs in (sheet.minimum, *sheet.classes) for limit in needs.limits.values()]
    bounds = [bound for limit in limits for bound in (limit.min, limit.max) if isinstance(bound, dict)]
    return any(set(bound) <= set(sheet.groups) for bound in bounds)


def _class_faults(sheet: Sheet) -> Iterator[Fault]:
    yield from _names(("classes",), [grade.name for grade in sheet.classes])
    for index, grade in enumerate(sheet.classes):
        yield from _needs_faults(sheet, ("classes", index), grade)


def _names(path: Path, names: list[str]) -> Iterator[Fault]:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if not name.strip() or not name.isprintable():
            yield Fault((*path, index, "name"), "the name is empty or cannot be printed", "give it a name")
        elif name in seen:
            yield Fault((*path, index, "name"), f'the name "{name}" is taken', "give it another name")
        seen.add(name)


def _needs_faults(sheet: Sheet, path: Path, needs: Needs) -> Iterator[Fault]:
    for key, limit in needs.limits.items():
        where = (*path, "limits", key)
        yield from _rule_faults(sheet, where, limit)
        yield from _limit_faults(sheet, where, key, limit)
    for index, rule in enumerate(needs.one_of):
        where = (*path, "one_of", index)
        yield from _rule_faults(sheet, where, rule)
        yield from _one_of_faults(where, rule)


def _rule_faults(sheet: Sheet, path: Path, rule: Rule) -> Iterator[Fault]:
    for key, flag in (("only", rule.only), ("unless", rule.unless)):
        if flag and flag not in sheet.variety_flags:
            yield Fault((*path, key), f'there is no variety flag "{flag}"', did_you_mean(flag, sheet.variety_flags))
    if sheet.rule_status(rule) == "official" and not rule.section:
        yield Fault(path, "an official rule without its section", 'add section = "...", or status = "project_default"')


def _limit_faults(sheet: Sheet, path: Path, key: str, limit: Limit) -> Iterator[Fault]:
    if limit.words and (limit.min is not None or limit.max is not None):
        yield Fault((*path, "words"), "a rule in words cannot have a number", "put the words into `note`")
    if not limit.words and limit.min is None and limit.max is None:
        yield Fault(path, "the rule asks nothing", "give it min, max, or words")
    for bound in ("min", "max"):
        yield from _bounds_faults(sheet, (*path, bound), limit.min if bound == "min" else limit.max)
    yield from _crossed(path, limit)
    if not limit.is_checked:
        return
    unknown = [name for name in quantities_in(key) if name not in QUANTITIES]
    for name in unknown:
        remedy = f"{did_you_mean(name, QUANTITIES)} if nothing measures it yet: checked = false"
        yield Fault(path, f'the station does not measure "{name}"', remedy)
    if not unknown:
        yield from _measured_faults(path, key, limit)


def _bounds_faults(sheet: Sheet, path: Path, bounds: Bounds) -> Iterator[Fault]:
    if not isinstance(bounds, dict):
        return
    sizes = {band.name for band in sheet.sizes.bands} if sheet.sizes else set()
    if not bounds:
        yield Fault(path, "a table without limits", "name colour groups or size bands, or give one number")
    elif not (set(bounds) <= set(sheet.groups) or set(bounds) <= sizes):
        for name in bounds:
            if name not in sheet.groups and name not in sizes:
                known = [*sheet.groups, *sorted(sizes)]
                yield Fault((*path, name), f'"{name}" is no colour group and no size band', did_you_mean(name, known))
        if set(bounds) <= set(sheet.groups) | sizes:
            yield Fault(path, "colour groups and size bands in one limit", "use one kind of name")


def _crossed(path: Path, limit: Limit) -> Iterator[Fault]:
    if limit.min is None or limit.max is None:
        return
    for name in _band_names(limit.min) | _band_names(limit.max):
        least, most = _bound_for(limit.min, name), _bound_for(limit.max, name)
        if least is not None and most is not None and least > most:
            yield Fault(
                (*path, "min"), f"min {least:g} is above max {most:g}: no fruit can pass", "correct one of them"
            )
            return


def _measured_faults(path: Path, key: str, limit: Limit) -> Iterator[Fault]:
    quantities = quantities_in(key)
    units = {QUANTITIES[name].unit for name in quantities}
    if len(units) > 1 or len(set(quantities)) < len(quantities):
        yield Fault(path, f'"{key}" cannot be added up', "add different quantities of one unit")
    if limit.step is not None and not 1e-6 <= limit.step <= 1e6:
        yield Fault((*path, "step"), f"step {limit.step:g} is impossible", "give the step of rounding, such as 0.01")
    if limit.at_diameter_mm is not None and (units != {"mm2"} or not 1.0 <= limit.at_diameter_mm <= 1000.0):
        yield Fault((*path, "at_diameter_mm"), "only an area (mm2) grows with a diameter in mm", "remove it")
    for bound, limits in (("min", limit.min), ("max", limit.max)):
        for name in _band_names(limits):
            value = _bound_for(limits, name)
            if value is not None:
                yield from _value_faults((*path, bound, *([name] if name else [])), quantities, value)


def _value_faults(path: Path, quantities: tuple[str, ...], value: float) -> Iterator[Fault]:
    if all(name.endswith("_fraction") or name == "skin_seen" for name in quantities) and value > 1.0:
        yield Fault(path, f"{value:g} is more than the whole", f"shares run from 0 to 1: write {value / 100:g}")
    elif value < 0.0 and not any(QUANTITIES[name].unit in ("deg", "CIELAB") for name in quantities):
        yield Fault(path, f"{value:g} is below zero", "give a positive limit")
    elif abs(value) > 1e9:
        yield Fault(path, f"{value:g} is impossible", f"give the limit in {QUANTITIES[quantities[0]].unit}")


def _one_of_faults(path: Path, rule: OneOf) -> Iterator[Fault]:
    if not rule.at_least or not all(rule.at_least):
        yield Fault((*path, "at_least"), "a way without values", "give each way a table: { diameter_mm = 60 }")
    for index, way in enumerate(rule.at_least):
        for key, value in way.items():
            where = (*path, "at_least", index, key)
            if key not in QUANTITIES:
                yield Fault(where, f'the station does not measure "{key}"', did_you_mean(key, QUANTITIES))
            else:
                yield from _value_faults(where, (key,), value)


def _size_faults(sheet: Sheet) -> Iterator[Fault]:
    sizes = sheet.sizes
    if sizes is None:
        return
    yield from _rule_faults(sheet, ("sizes",), sizes)
    yield from _names(("sizes", "bands"), [band.name for band in sizes.bands])
    if not sizes.bands:
        yield Fault(("sizes", "bands"), "there is no size band", "give at least one, or remove [sizes]")
    if sizes.by not in QUANTITIES:
        yield Fault(("sizes", "by"), f'the station does not measure "{sizes.by}"', did_you_mean(sizes.by, QUANTITIES))
        return
    step = table_step((sizes.by,))
    edges: list[tuple[float, float, int]] = []
    for index, band in enumerate(sizes.bands):
        path: Path = ("sizes", "bands", index)
        if band.to is not None and band.below is not None:
            yield Fault(path, f'size "{band.name}" has both `to` and `below`', "keep one")
        first, last = band_steps(band.from_, band.to, band.below, step)
        if first > last:
            yield Fault(path, f'size "{band.name}" holds no fruit', "let `from` be smaller than its upper edge")
            return
        edges.append((first, last, index))
    edges.sort()
    reach, widest = edges[0][1:] if edges else (0.0, 0)
    for (_, _, previous), (first, last, index) in pairwise(edges):
        path = ("sizes", "bands", index)
        above, below = sizes.bands[index].name, sizes.bands[widest].name
        if first > reach + 1:
            gap = f"{(reach + 1) * step:g} to {(first - 1) * step:g} {QUANTITIES[sizes.by].unit}"
            yield Fault(path, f'gap between sizes "{below}" and "{above}": {gap}', "let one begin where one ends")
        if first <= reach and sizes.overlap == "error":
            text = f'sizes "{sizes.bands[previous].name}" and "{above}" overlap'
            yield Fault(path, text, 'use `below` for the upper edge, or say overlap = "first"')
        if last > reach:
            reach, widest = last, index
    yield from _hidden_sizes(edges, sizes.bands)


def _hidden_sizes(edges: list[tuple[float, float, int]], bands: tuple[SizeBand, ...]) -> Iterator[Fault]:
    for first, last, index in edges:
        for other_first, other_last, other in edges:
            if other < index and other_first <= first and last <= other_last:
                text = f'size "{bands[index].name}" lies within "{bands[other].name}", which takes its fruit'
                yield Fault(("sizes", "bands", index), text, "list the narrower size first", warning=True)
                break


def _product_faults(sheet: Sheet, outlets: int) -> Iterator[Fault]:
    yield from _names(("products",), [product.name for product in sheet.products])
    class_names = [grade.name for grade in sheet.classes]
    size_names = [band.name for band in sheet.sizes.bands] if sheet.sizes else []
    taken: dict[tuple[str, str], str] = {}
    for index, product in enumerate(sheet.products):
        path: Path = ("products", index)
        yield from _references((*path, "classes"), "class", product.classes, class_names)
        yield from _references((*path, "sizes"), "size", product.sizes or (), size_names)
        yield from _outlet_faults((*path, "outlets"), product.weights, product.outlets, outlets)
        if not product.classes or product.sizes == ():
            yield Fault(
                path, f'product "{product.name}" takes no fruit', "name its classes, and its sizes if it has any"
            )
        cells = [(grade, size) for grade in product.classes for size in product.sizes or (*size_names, "")]
        double = next((cell for cell in cells if taken.get(cell, product.name) != product.name), None)
        if double:
            text = f'"{" ".join(double).strip()}" is in product "{taken[double]}" already'
            yield Fault(path, text, "leave it in one product")
        taken.update((cell, product.name) for cell in cells if cell not in taken)
    for index, name in enumerate(class_names):
        if sheet.products and not any(name in product.classes for product in sheet.products):
            text = f'no product takes class "{name}": its fruit goes to the default outlet'
            yield Fault(("classes", index), text, "name it in a product", warning=True)


def _references(path: Path, kind: str, names: tuple[str, ...], known: list[str]) -> Iterator[Fault]:
    for index, name in enumerate(names):
        if name not in known:
            yield Fault((*path, index), f'there is no {kind} "{name}"', did_you_mean(name, known))


def _outlet_faults(
    path: Path, weights: dict[int, int], given: tuple[int, ...] | dict[int, int], outlets: int
) -> Iterator[Fault]:
    if not weights:
        yield Fault(path, "no outlet", "name the outlets where the product is packed")
    if len(weights) < len(given):
        yield Fault(path, "an outlet is named twice", "use a table to give it more: outlets = { 1 = 2, 2 = 1 }")
    for index, (outlet, weight) in enumerate(weights.items()):
        where = (*path, str(outlet) if isinstance(given, dict) else index)
        yield from _no_outlet(where, outlet, outlets)
        if not 1 <= weight <= MOST_WEIGHT:
            yield Fault(where, f"weight {weight} of outlet {outlet}", f"give a whole number from 1 to {MOST_WEIGHT}")


def _no_outlet(path: Path, outlet: int, outlets: int) -> Iterator[Fault]:
    if not 1 <= outlet <= outlets:
        run = f"outlets run from 1 to {outlets}" if outlets > 1 else "the line has outlet 1 alone"
        yield Fault(path, f"there is no outlet {outlet}", run)


def _rot_faults(sheet: Sheet) -> Iterator[Fault]:
    """What is marked as rot leaves at the first gate, all of it, and alone."""
    rotten = next((product for product in sheet.products if product.rot), None)
    if rotten is None:
        return
    for index, product in enumerate(sheet.products):
        path: Path = ("products", index)
        if product.rot and list(product.weights) != [FIRST_GATE]:
            text = f'"{product.name}" is rot and would pass gates that other fruit leave by'
            yield Fault((*path, "outlets"), text, f"let it leave at the first gate: outlets = [{FIRST_GATE}]")
        if product.rot and product.sizes is not None:
            text = f'"{product.name}" is rot, and rot of other sizes would run past every gate'
            yield Fault((*path, "sizes"), text, "leave `sizes` out: then it takes all")
        if product is not rotten and FIRST_GATE in product.weights:
            text = f'"{product.name}" goes to outlet {FIRST_GATE}, where the rot of "{rotten.name}" goes'
            yield Fault((*path, "outlets"), text, "give it another outlet, or put its classes into that product")


def _sampling_faults(sheet: Sheet, outlets: int) -> Iterator[Fault]:
    class_names = [grade.name for grade in sheet.classes]
    packs = {outlet: product.name for product in sheet.products for outlet in product.weights}
    rotten = {name for product in sheet.products if product.rot for name in product.classes}
    seen: set[str] = set()
    for index, sampling in enumerate(sheet.sampling):
        path, name = ("sampling", index), sampling.class_
        if name not in class_names:
            yield Fault((*path, "class"), f'there is no class "{name}"', did_you_mean(name, class_names))
        if name in seen:
            yield Fault((*path, "class"), f'class "{name}" is sampled already', "leave one of the two")
        if name in rotten:
            yield Fault(
                (*path, "class"), f'"{name}" is rot: it leaves at the first gate, all of it', "do not sample it"
            )
        if not 2 <= sampling.every <= MOST_BETWEEN_SAMPLES:
            run = f"give a whole number from 2 to {MOST_BETWEEN_SAMPLES}; a product takes all fruit of a class"
            yield Fault((*path, "every"), f"one fruit in {sampling.every} is no sample", run)
        yield from _no_outlet((*path, "outlet"), sampling.outlet, outlets)
        if sampling.outlet in packs:
            text = f'outlet {sampling.outlet} packs "{packs[sampling.outlet]}": samples would be lost in it'
            yield Fault((*path, "outlet"), text, "give the samples an outlet of their own")
        seen.add(name)


def _order_faults(sheet: Sheet) -> Iterator[Fault]:
    for lower in range(1, len(sheet.classes)):
        grade = sheet.classes[lower]
        path: Path = ("classes", lower)
        hiding = next((better for better in sheet.classes[:lower] if _keeps(grade, better)), None)
        if hiding:
            text = f'no fruit can reach class "{grade.name}": what keeps its rules keeps those of "{hiding.name}"'
            yield Fault(path, text, "make its limits wider, or put it higher")
            continue
        better = sheet.classes[lower - 1]
        for key, limit in grade.limits.items():
            above = better.limits.get(key)
            if above is None or not (limit.is_checked and above.is_checked) or not _same_fruit(limit, above):
                continue
            bounds: tuple[Literal["min", "max"], ...] = ("min", "max")
            for bound in bounds:
                if _stricter(limit, above, bound):
                    yield Fault(
                        (*path, "limits", key, bound),
                        f'{bound} of {key} is stricter in "{grade.name}" than in the better "{better.name}"',
                        "better classes come first: check both numbers",
                        warning=True,
                    )


def _unpacked(sheet: Sheet) -> Iterator[Fault]:
    """Sizes of a class that no product takes, though its limits let fruit have them: one warning a class.

    A class without any product has its own warning; a product without sizes takes all there are.
    """
    if sheet.sizes is None:
        return
    spans = list(_size_spans(sheet.sizes))
    for index, grade in enumerate(sheet.classes):
        packed = [product.sizes for product in sheet.products if grade.name in product.classes]
        if not packed or None in packed:
            continue
        taken = {name for names in packed for name in names or ()}
        least, most = _limits_of(sheet, grade, sheet.sizes.by)
        left = [name for name, first, last in spans if name not in taken and first <= most and least <= last]
        if left:
            text = f'no product takes "{grade.name}" of {", ".join(left)}: its fruit goes to the default outlet'
            yield Fault(("classes", index), text, "name the sizes in a product, or leave them on purpose", warning=True)


def _size_spans(sizes: Sizes) -> Iterator[tuple[str, float, float]]:
    """Name, first and last step of every size, and of what is too small or too large for any."""
    step, unit = table_step((sizes.by,)), QUANTITIES[sizes.by].unit
    spans = [(band.name, *band_steps(band.from_, band.to, band.below, step)) for band in sizes.bands]
    yield from spans
    least, most = min(first for _, first, _ in spans), max(last for _, _, last in spans)
    if least > -math.inf:
        yield f"less than {least * step:g} {unit}", -math.inf, least - 1
    if most < math.inf:
        yield f"more than {most * step:g} {unit}", most + 1, math.inf


def _limits_of(sheet: Sheet, grade: GradeClass, quantity: str) -> tuple[float, float]:
    """First and last step that every fruit of a class has for certain; infinite where some may go further."""
    limits = [needs.limits[quantity] for needs in (sheet.minimum, grade) if quantity in needs.limits]
    sure = [limit for limit in limits if limit.is_checked and not limit.only and not limit.unless]
    step = table_step((quantity,))
    least = [band_steps(limit.min, None, None, step)[0] for limit in sure if not isinstance(limit.min, dict)]
    most = [band_steps(None, limit.max, None, step)[1] for limit in sure if not isinstance(limit.max, dict)]
    return max(least, default=-math.inf), min(most, default=math.inf)


def _keeps(grade: GradeClass, better: GradeClass) -> bool:
    """True when every fruit that keeps the rules of one class keeps those of the better one."""
    ways = [rule.at_least for rule in grade.one_of]
    return all(rule.at_least in ways for rule in better.one_of) and all(
        key in grade.limits and _as_strict(grade.limits[key], limit)
        for key, limit in better.limits.items()
        if limit.is_checked
    )


def _as_strict(limit: Limit, above: Limit) -> bool:
    """True when keeping `limit` means keeping `above`; False when that is not certain."""
    if not (limit.is_checked and _same_fruit(limit, above)) or (limit.missing, above.missing) == ("pass", "fail"):
        return False
    names = {name for bounds in (limit.min, limit.max, above.min, above.max) for name in _band_names(bounds)}
    for name in names | {""}:
        least, least_above = _bound_for(limit.min, name), _bound_for(above.min, name)
        most, most_above = _bound_for(limit.max, name), _bound_for(above.max, name)
        if least_above is not None and (least is None or least < least_above):
            return False
        if most_above is not None and (most is None or most > most_above):
            return False
    return True


def _stricter(limit: Limit, above: Limit, bound: Literal["min", "max"]) -> bool:
    mine, theirs = (limit.min, above.min) if bound == "min" else (limit.max, above.max)
    for name in _band_names(mine) | _band_names(theirs):
        low, high = _bound_for(mine, name), _bound_for(theirs, name)
        if low is not None and high is not None and (low > high if bound == "min" else low < high):
            return True
    return False


def _same_fruit(limit: Limit, other: Limit) -> bool:
    """Both speak of the same fruit in the same measure, so that their numbers can be compared."""
    return (limit.only, limit.unless, limit.step, limit.at_diameter_mm) == (
        other.only,
        other.unless,
        other.step,
        other.at_diameter_mm,
    )


def _band_names(bounds: Bounds) -> set[str]:
    """The groups or sizes that a limit names; the empty name stands for all fruit."""
    return set(bounds) if isinstance(bounds, dict) else {""}


def _bound_for(bounds: Bounds, name: str) -> float | None:
    return bounds.get(name) if isinstance(bounds, dict) else bounds
