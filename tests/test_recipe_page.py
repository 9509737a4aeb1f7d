"""docs/recipe.md names every key of a recipe with its default, and no other; its example is a recipe."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.project import ROOT
from toolchain import recipe
from toolchain.schema import Field, Schema

PAGE = (ROOT / "docs/recipe.md").read_text(encoding="utf-8")


def keys(schema: Schema, before: str = "") -> dict[str, Field]:
    found: dict[str, Field] = {}
    for name, field in schema.items():
        if isinstance(field.kind, dict):
            found |= keys(field.kind, f"{before}{name}.")
        else:
            found[before + name] = field
    return found


def shown(default: Any) -> str:
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def test_every_key_is_there_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `([\w.]+)` \| ([^|]+) \|", PAGE, re.M))
    wanted = {name: "none" if field.optional or field.default == () else
              "required" if field.default is None else shown(field.default)
              for name, field in keys(recipe._RECIPE).items()}
    assert rows == wanted


def test_the_example_is_a_recipe(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (example,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.M | re.S)
    (tmp_path / "images/letters.yaml").write_text(example)
    assert recipe.read(tmp_path, "letters").dataset.file == "letters.txt"
