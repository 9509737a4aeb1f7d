"""The one error that a user is meant to read."""

from __future__ import annotations

import os
from collections.abc import Iterable

from doit.exceptions import InvalidDodoFile


def typed(text: str) -> str:
    """Commands as they are typed here: texts say ./doit, ingot's wrapper; a project that uses the wheel has none."""
    wrapper = os.path.join(os.path.dirname(os.path.dirname(__file__)), "doit")
    return text if os.path.isfile(wrapper) else text.replace("./doit", "doit")


def meant(word: str, known: Iterable[str], tail: str = "") -> str:
    """The start of a hint: "did you mean NEAREST? ", or nothing where no known word is near."""
    import difflib

    near = difflib.get_close_matches(word, list(known), 1)
    return f"did you mean {near[0]}{tail}? " if near else ""


class UserError(InvalidDodoFile):
    """`what` says what went wrong and where, `hint` what to do about it; one line each.

    A kind of InvalidDodoFile, so that doit itself prints it without a traceback when it is raised
    while dodo.py is loaded.
    """

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what, hint)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return typed(f"{self.what}\nhint: {self.hint}" if self.hint else self.what)
