"""recording.toml: what the devices were and where they stood.

A check names every wrong key with its line; an unknown key is a warning, and survives conversion. A `[gates]` table
is read and written as well, so that a replay finds the outlets where they stood.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from grader.domain.faults import Fault
from grader.domain.faults import Path as Keys
from grader.domain.installation import COLOURS, Installation
from grader.domain.plausible import document_faults, installation_faults
from grader.domain.shape import read_as, shown
from grader.storage.recordings.findings import Findings
from grader.storage.recordings.toml_text import toml_text
from grader.storage.toml_lines import document_of, line_of, lines_by_path

FORMAT = 1

Extra = dict[str, Any]
"""Unknown keys of recording.toml, nested as they stood; in a list of tables one (perhaps empty) table per element."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A recording.toml that was read: its text as it stands, the line of each entry, what it says, and the keys it says
    besides."""

    file: Path
    text: str
    lines: Mapping[Keys, int]
    installation: Installation
    extra: Extra


def read_manifest(text: str, file: Path, findings: Findings) -> Manifest | None:
    """Parse and check. None after an error when findings are not strict; otherwise the first error raises."""
    try:
        tree, lines = document_of(text), lines_by_path(text)
    except (ValueError, RecursionError) as error:  # ValueError: also a number of thousands of digits
        at = re.search(r"at line (\d+)", str(error))
        findings.error(
            file,
            f"is not TOML: {error}"[:300],
            row=int(at[1]) if at else None,
            remedy="put the line right in a text editor",
        )
        return None
    return _Reading(text, lines, file, findings).manifest(tree)


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

    def __init__(self, text: str, lines: Mapping[Keys, int], file: Path, findings: Findings) -> None:
        self.text, self.lines, self.file, self.findings = text, lines, file, findings
        self.failed = False

    def manifest(self, tree: dict[str, Any]) -> Manifest | None:
        version = tree.pop("format", None)
        if version != FORMAT or isinstance(version, bool):
            text = "there is no format" if version is None else f"format is {shown(version)}"
            self._report(Fault(("format",), text, f"this station reads format = {FORMAT}"))
        known, extra = self._table(Installation, tree, ())
        self._report(*document_faults(known, Installation))
        if self.failed:
            return None
        installation = read_as(known, Installation)
        self._report(*installation_faults(installation, has_gates="gates" in known))
        return None if self.failed else Manifest(self.file, self.text, self.lines, installation, extra)

    def _table(self, kind: type[msgspec.Struct], table: dict[str, Any], path: Keys) -> tuple[dict[str, Any], Extra]:
        """A table without its unknown keys, and those."""
        hints = get_type_hints(kind)
        known: dict[str, Any] = {}
        extra: Extra = {}
        for key, value in table.items():
            if key not in hints:
                extra[key] = value
                self._report(Fault((*path, key), "unknown key, kept and ignored", "", warning=True))
                continue
            known[key], inner = self._value(hints[key], value, (*path, key))
            if inner:
                extra[key] = inner
        return known, extra

    def _value(self, annotation: Any, value: Any, path: Keys) -> tuple[Any, Any]:
        """One key's value without the unknown keys inside it, and those. What has the wrong shape stays as it is."""
        kind = _struct_in(annotation)
        if kind is None:
            return value, None
        if get_origin(annotation) is dict and isinstance(value, dict):
            pairs = {name: self._inner(kind, inner, (*path, name)) for name, inner in value.items()}
            return {name: known for name, (known, _) in pairs.items()}, {
                name: extra for name, (_, extra) in pairs.items() if extra
            }
        if get_origin(annotation) is tuple and isinstance(value, list):
            rows = [self._inner(kind, inner, (*path, place)) for place, inner in enumerate(value)]
            extras = [extra for _, extra in rows]
            return [known for known, _ in rows], extras if any(extras) else None
        return self._inner(kind, value, path)

    def _inner(self, kind: type[msgspec.Struct], value: Any, path: Keys) -> tuple[Any, Extra]:
        return self._table(kind, value, path) if isinstance(value, dict) else (value, {})

    def _report(self, *faults: Fault) -> None:
        self.failed |= any(not fault.warning for fault in faults)
        report(faults, self.lines, self.file, self.findings)


def report(faults: Iterable[Fault], lines: Mapping[Keys, int], file: Path, findings: Findings) -> None:
    """Faults of a recording.toml with their lines."""
    for fault in (each.named for each in faults):
        tell = findings.warn if fault.warning else findings.error
        tell(file, fault.text, row=line_of(fault.path, lines), remedy=fault.remedy)


def _struct_in(annotation: Any) -> type[msgspec.Struct] | None:
    """The record that a field holds, alone, by name or in a list; None for plain values."""
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            return kind
    return None


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
