"""Where each entry of a TOML file stands: from a path like ("classes", 1, "limits") to a line.

The file has been read by `tomllib` before, so it is known to be sound: this only walks over it and keeps count. It
understands tables, arrays of tables, dotted and quoted keys, inline tables, arrays over several lines, and the four
kinds of strings.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

Path = tuple[str | int, ...]

_SPACE = re.compile(r"[ \t]*")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
_STRING = re.compile(
    r'''"""(?:[^\\]|\\.)*?"{3,5}(?!")|\'\'\'.*?'{3,5}(?!')|"(?:[^"\\\n]|\\.)*"|'[^'\n]*\'''',
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\r\n]*")
_MOST_PARTS = 50
_ENDLESS_KEY = re.compile(
    rf"""(?<![\w.-])(?:(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){{{_MOST_PARTS}}}""", re.ASCII
)


def document_of(text: str) -> dict[str, Any]:
    """What a TOML text holds. Raises RecursionError, and ValueError in tomllib's words.

    A key of endless parts is refused before tomllib, whose time grows with their square, has to do with it.
    """
    if endless := _ENDLESS_KEY.search(text):
        line = text.count("\n", 0, endless.start()) + 1
        raise ValueError(f"A key has over {_MOST_PARTS} parts (at line {line}, column 1)")
    return tomllib.loads(text)


def lines_by_path(text: str) -> dict[Path, int]:
    """1-based line of every table, key and array item of a sound TOML text; the whole file is ()."""
    return _Walk(text.replace("\r\n", "\n")).lines


def line_of(path: Path, lines: Mapping[Path, int]) -> int:
    """The line of an entry, or of the nearest one around it that stands in the file."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


class _Walk:
    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {(): 1}
        self._text, self._at = text, 0
        self._newlines = [index for index, char in enumerate(text) if char == "\n"]
        self._last_item: dict[Path, int] = {}  # of each array of tables
        table: Path = ()
        self._skip(_BLANK)
        while self._at < len(text):
            if text.startswith("[[", self._at):
                table = self._header(2)
            elif text[self._at] == "[":
                table = self._header(1)
            else:
                self._entry(table)
            self._skip(_BLANK)

    def _skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise ValueError(f"not TOML at character {self._at}")
        self._at = found.end()
        return found.group()

    def _mark(self, path: Path, at: int) -> None:
        self.lines.setdefault(path, bisect_right(self._newlines, at - 1) + 1)

    def _keys(self) -> list[str]:
        """The parts of a dotted key."""
        keys: list[str] = []
        while not keys or self._text[self._at] == ".":
            self._at += bool(keys)
            self._skip(_SPACE)
            raw = self._skip(_KEY)
            keys.append(tomllib.loads(f"key = {raw}")["key"] if raw[0] in "\"'" else raw)
            self._skip(_SPACE)
        return keys

    def _header(self, brackets: int) -> Path:
        start = self._at
        self._at += brackets
        keys = self._keys()
        self._at += brackets
        path: Path = ()
        for index, key in enumerate(keys):
            path = (*path, key)
            self._mark(path, start)
            if brackets == 2 and index == len(keys) - 1:
                self._last_item[path] = self._last_item.get(path, -1) + 1
            if path in self._last_item:
                path = (*path, self._last_item[path])
                self._mark(path, start)
        return path

    def _entry(self, table: Path) -> None:
        start = self._at
        path = table
        for key in self._keys():
            path = (*path, key)
            self._mark(path, start)
        self._at += 1  # the equals sign
        self._skip(_SPACE)
        self._value(path)

    def _value(self, path: Path) -> None:
        first = self._text[self._at]
        if first == "[":
            self._array(path)
        elif first == "{":
            self._inline_table(path)
        else:
            self._skip(_STRING if first in "\"'" else _SCALAR)

    def _array(self, path: Path) -> None:
        self._at += 1
        self._skip(_BLANK)
        index = 0
        while self._text[self._at] != "]":
            self._mark((*path, index), self._at)
            self._value((*path, index))
            self._next_item()
            index += 1
        self._at += 1

    def _inline_table(self, path: Path) -> None:
        self._at += 1
        self._skip(_BLANK)
        while self._text[self._at] != "}":
            self._entry(path)
            self._next_item()
        self._at += 1

    def _next_item(self) -> None:
        self._skip(_BLANK)
        if self._text[self._at] == ",":
            self._at += 1
            self._skip(_BLANK)
