"""Options that several commands have."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from grader.cli.words import LANGUAGES, Language, language_of

Lang = Annotated[str, typer.Option("--lang", help="en or zh; your system's language if not given")]


def language_asked(lang: str) -> Language:
    """The language of --lang, else the operator's. Raises typer.BadParameter."""
    if not lang:
        return language_of(os.environ)
    for language in LANGUAGES:
        if lang == language:
            return language
    raise typer.BadParameter(f"{lang} is not one of {', '.join(LANGUAGES)}")
