"""What is wrong in something that people wrote: where it stands, in words, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import NamedTuple

Path = tuple[str | int, ...]
"""Keys and places in lists from the top: ("lots", 1, "first_cup")."""


_MOST_CHOICES = 20


class Fault(NamedTuple):
    """path: where in the document. warning: it can be used all the same."""

    path: Path
    text: str
    remedy: str
    warning: bool = False

    @property
    def named(self) -> Fault:
        """The same with its place in front of its words, for documents whose words do not name it."""
        return self._replace(text=f"{dotted(self.path)}: {self.text}") if self.path else self


def dotted(path: Path) -> str:
    """A path as people write it, `lots[1].first_cup`; a name of endless length is cut."""
    words = ""
    for part in path:
        words += f"[{part}]" if isinstance(part, int) else ("." if words else "") + part[:60]
    return words


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean "classes"?`, or what there is to choose from."""
    known = list(known)
    close = get_close_matches(word, known, n=1)
    if close:
        return f'did you mean "{close[0]}"?'
    more = ", ..." if len(known) > _MOST_CHOICES else ""
    return f"there are: {', '.join(known[:_MOST_CHOICES])}{more}" if known else "there is none to choose from"
