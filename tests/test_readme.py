"""The README leads where it says: every file is there, and every function is in its file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "README.zh.md", *sorted(ROOT.glob("*/README.md"))]

_LINK = re.compile(r"\]\(([^)#:]+)\)")
_FOLLOWED = re.compile(r"^\| .*\| `([\w.]+)` \| ([\w/]+\.py) \|$", re.MULTILINE)
_FILE = re.compile(r"(?:grader|hardware|calibration|models|bench|tests|docs)/[\w/]+\.(?:py|md|toml)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = {page.parent / link for link in _LINK.findall(text)} | {ROOT / file for file in _FILE.findall(text)}
    assert [str(file) for file in sorted(named) if not file.exists()] == []


def test_every_function_that_a_fruit_is_followed_through_is_in_its_file() -> None:
    followed = _FOLLOWED.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(followed) > 20
    for name, file in followed:
        source = (ROOT / file).read_text(encoding="utf-8")
        for part in name.split("."):
            assert re.search(rf"^ *(?:def|class) {part}\b", source, re.MULTILINE), f"{file} has no {name}"
