"""The house rules that a machine can check: floors, words that may not leave this machine, docstrings, locks."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("grader", "hardware", "calibration", "models", "bench")


def own_files() -> list[Path]:
    """Files that are, or would be, under version control; without git, all but what the set-up leaves."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        files = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    else:
        left_by_set_up = {".venv", ".git", ".hypothesis", "__pycache__", "build", "out", "runs"}
        files = [file for file in ROOT.rglob("*") if not left_by_set_up & set(file.relative_to(ROOT).parts)]
    return [file for file in files if file.is_file()]


def texts() -> Iterator[tuple[Path, str]]:
    """Every text file with what it says."""
    for file in own_files():
        try:
            yield file, file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture or an artefact


def test_imports_keep_to_the_floors() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    ran = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r"[1-9]\d* kept, 0 broken", ran.stdout), ran.stdout


# Written in pieces, so that this file does not hold what it forbids.
FORBIDDEN = {
    "a package registry": r"py"
    + r"pi\.org|python"
    + r"hosted|--(extra-)?index"
    + r"-url[ =]\S|--find"
    + r"-links[ =]\S",
    "a path of one machine": r"(?<![\w.])/(home|Users|root|work" + r"|mnt|media)/\w|/tmp/\w|\b[A-Z]:\\\\?Users",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    found = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for file, text in texts()
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_pins_and_hashes_everything_and_names_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert not re.search(r"://|^\s*-[-if]|\s@\s", text.replace("--hash=", ""), re.MULTILINE)
    entries = re.split(r"\n(?=\S)", text.strip())
    assert len(entries) > 5
    for entry in entries:
        assert re.match(r"[a-z0-9][a-z0-9._\-\[\],]*==\S+", entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry


Documentable = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def classes(trees: list[ast.Module]) -> Iterator[tuple[ast.ClassDef, list[str]]]:
    """Every class, with the names of its base classes."""
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                yield node, [base.id for base in node.bases if isinstance(base, ast.Name)]


def public(body: list[ast.stmt]) -> Iterator[Documentable]:
    """What a reader of the module or class may use."""
    for node in body:
        if isinstance(node, Documentable) and not node.name.startswith("_"):
            yield node


def undocumented(tree: ast.Module, promised: set[tuple[str, str]], protocols: set[str]) -> Iterator[tuple[int, str]]:
    """Public functions, classes and methods without a docstring.

    A method of one statement says itself what it gives. One that keeps a promise is described where that was made: by a
    base class, or by a protocol, of which nobody has to be a subclass.
    """
    for node in public(tree.body):
        if ast.get_docstring(node) is None:
            yield node.lineno, node.name
        if isinstance(node, ast.ClassDef):
            makers = protocols | {base.id for base in node.bases if isinstance(base, ast.Name)}
            for method in public(node.body):
                kept = any((maker, method.name) in promised for maker in makers)
                if ast.get_docstring(method) is None and len(method.body) > 1 and not kept:
                    yield method.lineno, f"{node.name}.{method.name}"


def test_public_functions_say_what_they_give() -> None:
    files = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    promised = {
        (node.name, method.name)
        for node, _ in classes(trees)
        for method in public(node.body)
        if ast.get_docstring(method) is not None
    }
    protocols = {node.name for node, bases in classes(trees) if "Protocol" in bases}
    found = [
        f"{file.relative_to(ROOT)}:{line}: {name}"
        for file, tree in zip(files, trees, strict=True)
        for line, name in undocumented(tree, promised, protocols)
    ]
    assert found == []
