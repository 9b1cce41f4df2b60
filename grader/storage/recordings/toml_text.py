"""TOML out (the standard library only reads it), and the line on which a key stands."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

KeyPath = tuple[str | int, ...]
"""Keys and list positions from the top: ("lots", 1, "first_cup")."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_KEY_PART = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'([^']*)'|([A-Za-z0-9_-]+)")
_HEADER = re.compile(r"\s*(\[\[?)([^\[\]]+)\]")
_ASSIGNMENT = re.compile(r"\s*((?:\"(?:[^\"\\]|\\.)*\"|'[^']*'|[A-Za-z0-9_.\s-])+?)\s*=")


def toml_text(tree: Mapping[str, Any]) -> str:
    """A tree of what tomllib gives (tables, lists, text, numbers, booleans, dates) as TOML that reads back equal."""
    return "\n".join(_table_lines(tree, ())).lstrip("\n") + "\n"


def line_of(text: str, path: KeyPath) -> int | None:
    """1-based line where the key is set, or else the innermost table around it; None when neither is found.

    Good for messages about text that tomllib has accepted, and no more: inside a multi-line string it may be fooled.
    """
    places: dict[KeyPath, int] = {}
    here: KeyPath = ()
    elements: dict[KeyPath, int] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if header := _HEADER.match(line):
            here = _key_parts(header[2])
            if header[1] == "[[":
                places.setdefault(here, number)
                elements[here] = elements.get(here, -1) + 1
                here = (*here, elements[here])
            places.setdefault(here, number)
        elif assignment := _ASSIGNMENT.match(line):
            places.setdefault((*here, *_key_parts(assignment[1])), number)
    while path and path not in places:
        path = path[:-1]
    return places.get(path)


def _key_parts(dotted: str) -> KeyPath:
    return tuple(double or single or bare for double, single, bare in _KEY_PART.findall(dotted))


def _table_lines(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    """The table's own values first: what follows a sub-table's header would belong to that sub-table."""
    inner: list[tuple[str, Any]] = []
    for key, value in table.items():
        if isinstance(value, Mapping) or _is_tables(value):
            inner.append((key, value))
        else:
            yield f"{_key(key)} = {_value(value)}"
    for key, value in inner:
        name = ".".join(_key(part) for part in (*path, key))
        if isinstance(value, Mapping):
            yield f"\n[{name}]"
            yield from _table_lines(value, (*path, key))
        else:
            for element in value:
                yield f"\n[[{name}]]"
                yield from _table_lines(element, (*path, key))


def _is_tables(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) > 0 and all(isinstance(item, Mapping) for item in value)


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _quoted(key)


def _quoted(text: str) -> str:
    # JSON's escapes are TOML's too; only DEL may stand bare in JSON and not in TOML.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + "}"
    raise TypeError(f"TOML has no place for {type(value).__name__}")
