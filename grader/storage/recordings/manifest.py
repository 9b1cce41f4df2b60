"""recording.toml: what the devices were and where they stood.

Read key by key, so that a check names every wrong key with its line, and an unknown key is a warning that
survives conversion. A `[gates]` table is read and written as well, so that a replay finds the outlets where they stood.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from grader.domain.installation import (
    CameraPlace,
    Gates,
    Installation,
    Line,
    LotMark,
    Scale,
    Spectrometer,
)
from grader.storage.recordings.findings import Findings
from grader.storage.recordings.toml_text import KeyPath, line_of, toml_text

FORMAT = 1
MOST_LANES = 12
MOST_PIXELS = 50_000_000
MOST_BANDS = 8
COLOURS = ("blue", "green", "red")
"""The bands of an ordinary picture; every further band lies beside it as a grey picture of its own."""

Extra = dict[str, Any]
"""Unknown keys of recording.toml, nested as they stood; in a list of tables one (perhaps empty) table per element."""

_FAR = 1e6  # mm or px: nothing on a line is a kilometre away
_SERIALS = 2.0**53


class _Range(NamedTuple):
    least: float
    most: float
    remedy: str


_ABOVE_ZERO = 1e-6
_LIMITS: dict[type, dict[str, _Range]] = {
    Line: {
        "lanes": _Range(1, MOST_LANES, f"a station has 1 to {MOST_LANES} lanes"),
        "pulses_per_cup": _Range(2, 100_000, "give the encoder pulses from one cup to the next, 2 to 100000"),
        "mm_per_pulse": _Range(_ABOVE_ZERO, 1000, "give the belt's travel per pulse in mm, above 0"),
        "cups_per_second": _Range(_ABOVE_ZERO, 1000, "give the rated speed, above 0"),
        "cups_per_chain": _Range(1, _SERIALS, "give the cups between two index marks, at least 1"),
        "first_cup": _Range(-_SERIALS, _SERIALS, "give a cup serial"),
    },
    CameraPlace: {
        "width_px": _Range(8, 16384, "give the picture's width, 8 to 16384"),
        "height_px": _Range(8, 16384, "give the picture's height, 8 to 16384"),
        "mm_per_px": _Range(0.01, 100, "give the scale of the picture, 0.01 to 100"),
        "cup_zero_px": _Range(-_FAR, _FAR, "give x and y in px"),
        "lane_pitch_px": _Range(_ABOVE_ZERO, _FAR, "give the distance between two lanes in px, above 0"),
        "pulses_per_frame": _Range(1, 1_000_000, "give the pulses between two pictures, at least 1"),
        "lens_above_mm": _Range(200, _FAR, "give the height of the lens, or leave it out"),
        "optical_centre_px": _Range(-_FAR, _FAR, "give x and y in px, or leave it out"),
        "turn_deg_per_pulse": _Range(-360, 360, "give the nominal turn of a fruit of 80 mm, or leave it out"),
    },
    Spectrometer: {
        "lanes": _Range(0, MOST_LANES - 1, "give lanes of this line"),
        "position_mm": _Range(-_FAR, _FAR, "give the distance after cup zero in mm"),
        "wavelengths_nm": _Range(1, 100_000, "give wavelengths in nm"),
    },
    Scale: {
        "position_mm": _Range(-_FAR, _FAR, "give the distance after cup zero in mm"),
        "zero_counts": _Range(-1e15, 1e15, "give the counts of the empty scale"),
        "g_per_count": _Range(-1e6, 1e6, "give grams per count"),
    },
    Gates: {
        "outlets": _Range(0, 64, "give the outlets per lane, at most 64"),
        "first_mm": _Range(_ABOVE_ZERO, _FAR, "give the distance after cup zero in mm"),
        "pitch_mm": _Range(_ABOVE_ZERO, _FAR, "give the distance between two gates in mm"),
        "decision_mm": _Range(_ABOVE_ZERO, _FAR, "give the distance after cup zero in mm"),
        "lead_pulses": _Range(0, 100_000, "give the least pulses between sending and opening"),
        "opening_ms": _Range(0, 10_000, "give the gate's opening time"),
        "closing_ms": _Range(0, 10_000, "give the gate's closing time"),
    },
    LotMark: {"first_cup": _Range(-_SERIALS, _SERIALS, "give a cup serial per lane")},
}

S = TypeVar("S", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A recording.toml that was read: its text as it stands, what it says, and the keys it says besides."""

    text: str
    installation: Installation
    extra: Extra


def read_manifest(text: str, file: Path, findings: Findings) -> Manifest | None:
    """Parse and check. None after an error when findings are not strict; otherwise the first error raises."""
    try:
        tree = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also a number of thousands of digits
        at = re.search(r"at line (\d+)", str(error))
        findings.error(
            file,
            f"is not TOML: {error}"[:300],
            row=int(at[1]) if at else None,
            remedy="put the line right in a text editor",
        )
        return None
    return _Reading(text, file, findings).manifest(tree)


def manifest_text(installation: Installation, extra: Mapping[str, Any] | None = None) -> str:
    """recording.toml for these devices; a value that equals its default is left out, unknown keys are put back."""
    tree: dict[str, Any] = {"format": FORMAT, **_without_defaults(installation)}
    return toml_text(_merged(tree, extra or {}))


def main_bands(bands: tuple[str, ...]) -> tuple[str, ...]:
    """The bands that the picture itself holds: its three colours, or the only band of a grey camera."""
    return bands if len(bands) == 1 else COLOURS


def extra_bands(bands: tuple[str, ...]) -> tuple[str, ...]:
    """The bands that lie beside the picture, each as `<stem>.<band>.png`."""
    return tuple(band for band in bands if band not in main_bands(bands))


class _Reading:
    """One reading of one recording.toml."""

    def __init__(self, text: str, file: Path, findings: Findings) -> None:
        self.text, self.file, self.findings = text, file, findings
        self.failed = False

    def manifest(self, tree: dict[str, Any]) -> Manifest | None:
        version = tree.pop("format", None)
        if version != FORMAT or isinstance(version, bool):
            self._error(
                ("format",),
                "is missing" if version is None else f"is {version!r}"[:80],
                f"this station reads format = {FORMAT}",
            )
        installation, extra = self._record(Installation, tree, ())
        if installation is None or self.failed:
            return None
        self._check_together(installation)
        return None if self.failed else Manifest(self.text, installation, extra)

    def _record(self, kind: type[S], table: Any, path: KeyPath) -> tuple[S | None, Extra]:
        """A table as its record, and the keys of it that are unknown."""
        if not isinstance(table, dict):
            self._error(path, "is not a table", f"write it as [{_dotted(path)}]")
            return None, {}
        hints = get_type_hints(kind)
        known: dict[str, Any] = {}
        extra: Extra = {}
        for key, value in table.items():
            if key not in hints:
                extra[key] = value
                self.findings.warn(
                    self.file, f"{_dotted((*path, key))}: unknown key, kept and ignored", row=self._row((*path, key))
                )
                continue
            known[key], inner = self._value(hints[key], value, (*path, key))
            if inner:
                extra[key] = inner
        for field in msgspec.structs.fields(kind):
            if field.required and field.name not in table:
                self._error((*path, field.name), "is missing", f"add {field.name} to [{_dotted(path) or 'the top'}]")
        for name, limits in _LIMITS.get(kind, {}).items():
            self._check_range(known.get(name), limits, (*path, name))
        return None if self.failed else kind(**known), extra

    def _value(self, annotation: Any, value: Any, path: KeyPath) -> tuple[Any, Any]:
        """One key's value as its type asks, and the unknown keys inside."""
        kind = _struct_in(annotation)
        if kind is None:
            return self._plain(annotation, value, path), None
        if get_origin(annotation) is dict:
            if not isinstance(value, dict):
                self._error(path, "is not a table", f"write one [{_dotted(path)}.NAME] for each")
                return None, None
            pairs = {name: self._record(kind, inner, (*path, name)) for name, inner in value.items()}
            return {name: record for name, (record, _) in pairs.items()}, {
                name: extra for name, (_, extra) in pairs.items() if extra
            }
        if get_origin(annotation) is tuple:
            if not isinstance(value, list):
                self._error(path, "is not a list of tables", f"write one [[{_dotted(path)}]] for each")
                return None, None
            rows = [self._record(kind, inner, (*path, place)) for place, inner in enumerate(value)]
            extras = [extra for _, extra in rows]
            return tuple(record for record, _ in rows), extras if any(extras) else None
        return self._record(kind, value, path)

    def _plain(self, annotation: Any, value: Any, path: KeyPath) -> Any:
        try:
            return msgspec.convert(value, annotation)
        except (msgspec.ValidationError, OverflowError) as error:
            self._error(path, str(error)[:200], "see the recording format for what belongs here")
            return None

    def _check_range(self, value: Any, limits: _Range, path: KeyPath) -> None:
        for number in value if isinstance(value, tuple) else (value,):
            if number is None:
                continue
            if not limits.least <= number <= limits.most:  # false of NaN, too; no integer is too long for it
                self._error(path, f"{number!r}"[:60] + " is not possible", limits.remedy)
                return

    def _check_together(self, installation: Installation) -> None:
        """What no single key can show: sizes of areas, lengths of vectors, order."""
        lanes = installation.line.lanes
        if not installation.cameras:
            self._error(("cameras",), "is empty", "describe the camera in [cameras.NAME]")
        for name, place in installation.cameras.items():
            self._check_camera(place, ("cameras", name))
        for name, spectrometer in installation.spectrometers.items():
            path: KeyPath = ("spectrometers", name)
            if not spectrometer.lanes or len(set(spectrometer.lanes)) < len(spectrometer.lanes):
                self._error((*path, "lanes"), "is empty or names a lane twice", "name each lane once")
            if any(lane >= lanes for lane in spectrometer.lanes):
                self._error((*path, "lanes"), f"names a lane beyond {lanes - 1}", f"lanes are 0 to {lanes - 1}")
            nm = spectrometer.wavelengths_nm
            if not nm or any(b <= a for a, b in pairwise(nm)):
                self._error((*path, "wavelengths_nm"), "do not rise", "give one per channel, each above the last")
        if installation.scale is not None:
            self._check_scale(installation.scale, lanes)
        for place_in_list, lot in enumerate(installation.lots):
            if len(lot.first_cup) != lanes:
                self._error(
                    ("lots", place_in_list, "first_cup"),
                    f"has {len(lot.first_cup)} entries for {lanes} lanes",
                    "give one cup serial per lane",
                )

    def _check_camera(self, place: CameraPlace, path: KeyPath) -> None:
        if place.width_px * place.height_px > MOST_PIXELS:
            self._error(
                (*path, "height_px"),
                f"a picture of {place.width_px} x {place.height_px} px is too large",
                f"at most {MOST_PIXELS} px",
            )
        bands = place.bands
        if not 1 <= len(bands) <= MOST_BANDS or len(set(bands)) < len(bands):
            self._error((*path, "bands"), "is empty, too long or names a band twice", f"name 1 to {MOST_BANDS} bands")
        elif not all(re.fullmatch(r"[a-z][a-z0-9_]{0,30}", band) for band in bands):
            self._error((*path, "bands"), "has a name that cannot be part of a file's", 'use names such as "nir"')
        elif len(bands) > 1 and not set(COLOURS) <= set(bands):
            self._error((*path, "bands"), "lacks a colour", "name blue, green and red, or one band only")

    def _check_scale(self, scale: Scale, lanes: int) -> None:
        for name, values in (("zero_counts", scale.zero_counts), ("g_per_count", scale.g_per_count)):
            if values is not None and len(values) != lanes:
                self._error(("scale", name), f"has {len(values)} entries for {lanes} lanes", "give one per lane")
        if (scale.zero_counts is None) != (scale.g_per_count is None):
            self._error(("scale",), "has only one of zero_counts and g_per_count", "give both or neither")
        if scale.g_per_count is not None and 0 in scale.g_per_count:
            self._error(("scale", "g_per_count"), "is 0 for a lane", "give grams per count")

    def _row(self, path: KeyPath) -> int | None:
        return line_of(self.text, path)

    def _error(self, path: KeyPath, text: str, remedy: str) -> None:
        self.failed = True
        self.findings.error(self.file, f"{_dotted(path)}: {text}", row=self._row(path), remedy=remedy)


def _struct_in(annotation: Any) -> type[msgspec.Struct] | None:
    """The record that a field holds, alone, by name or in a list; None for plain values."""
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            return kind
    return None


def _dotted(path: KeyPath) -> str:
    words = ""
    for part in path:
        words += f"[{part}]" if isinstance(part, int) else ("." if words else "") + part[:60]
    return words


def _without_defaults(record: msgspec.Struct) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for field in msgspec.structs.fields(record):
        value = getattr(record, field.name)
        default = field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default
        if field.required or value != default:
            tree[field.name] = _as_tree(value)
    return tree


def _as_tree(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return _without_defaults(value)
    if isinstance(value, dict):
        return {key: _as_tree(inner) for key, inner in value.items()}
    if isinstance(value, tuple):
        return [_as_tree(inner) for inner in value]
    return value


def _merged(tree: Any, extra: Any) -> Any:
    """Known and unknown keys together. What the records say wins over an unknown key of the same name."""
    if isinstance(tree, dict) and isinstance(extra, Mapping):
        both = {key: _merged(value, extra.get(key)) for key, value in tree.items()}
        return both | {key: value for key, value in extra.items() if key not in tree}
    if isinstance(tree, list) and isinstance(extra, list):
        return [_merged(known, unknown) for known, unknown in zip_longest(tree, extra[: len(tree)])]
    return tree


__all__ = [
    "COLOURS",
    "FORMAT",
    "Extra",
    "Manifest",
    "extra_bands",
    "main_bands",
    "manifest_text",
    "read_manifest",
]
