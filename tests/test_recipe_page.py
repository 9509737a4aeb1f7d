"""docs/recipe.md names every key of a recipe with its default, and no other; its examples are recipes."""

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
    parts = re.split("^## ", PAGE, flags=re.M)
    tables = [dict(re.findall(r"^\| `([\w.]+)` \| ([^|]+) \|", part, re.M)) for part in parts]
    assert [table for table in tables if table] == [
        {name: "none" if field.optional or field.default == () else
         "required" if field.default is None else shown(field.default) for name, field in keys(schema).items()}
        for schema in (recipe.TRAINING, recipe.LEARNING, recipe.PUBLISHED)]


def test_the_examples_are_recipes(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    learns, stories, published = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.M | re.S)
    (tmp_path / "images/letters.yaml").write_text(learns)
    (tmp_path / "images/stories.yaml").write_text(stories)
    made = recipe.read(tmp_path, "stories").source
    assert isinstance(made, recipe.Learning) and made.dataset.text == "stories"
    (tmp_path / "images/published.yaml").write_text(published)
    letters, model = recipe.read(tmp_path, "letters").source, recipe.read(tmp_path, "published").source
    assert isinstance(letters, recipe.Training) and letters.dataset.file == "letters.txt"
    assert isinstance(model, recipe.Published) and published in (ROOT / "images/stories260k.yaml").read_text()
