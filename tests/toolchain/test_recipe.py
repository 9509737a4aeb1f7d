"""Recipes: every mistake is an error with file, line and hint."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolchain.errors import UserError
from toolchain.recipe import Published, Training, read

GOOD = """\
title: T
dataset:
  generator: tales
model:
  architecture: gpt2
  layers: 2
  heads: 2
  width: 64
  context: 64
train:
  steps: 10
  batch: 4
"""


def recipe(folder: Path, text: str) -> str:
    (folder / "images").mkdir(exist_ok=True)
    (folder / "images/x.yaml").write_text(text)
    with pytest.raises(UserError) as caught:
        read(folder, "x")
    assert caught.value.hint
    return str(caught.value)


def test_every_recipe_of_the_project_is_right(root: Path) -> None:
    names = sorted(path.stem for path in (root / "images").glob("*.yaml"))
    assert {"tales", "shakespeare", "smoke"} <= set(names)
    for name in names:
        assert read(root, name).name == name


def test_defaults_are_filled_in(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images/x.yaml").write_text(GOOD)
    made = read(tmp_path, "x").source
    assert isinstance(made, Training)
    assert (made.tokenizer, made.split, made.train.warmup, made.dataset.seed) == ("bytes", 0.9, 100, 1)
    assert made.link_model is True


@pytest.mark.parametrize(("word", "value"), [("true", True), ("false", False)])
def test_link_model(tmp_path: Path, word: str, value: bool) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images/x.yaml").write_text(GOOD + f"link_model: {word}\n")
    made = read(tmp_path, "x").source
    assert isinstance(made, Training) and made.link_model is value


@pytest.mark.parametrize(("old", "new", "line", "says"), [
    ("  layers: 2", "  layer: 2", 6, "unknown key model.layer\nhint: did you mean layers?"),
    ("  layers: 2", "  layers: two", 6, "model.layers must be a whole number"),
    ("  layers: 2", "  layers: 0", 6, "model.layers is 0"),
    ("  layers: 2", "  layers: 2\n  layers: 3", 7, "given twice"),
    ("  steps: 10", "  steps: [1]", 11, "train.steps must be a whole number"),
    ("  batch: 4", "  batch: 4\n  learning_rate: fast", 13, "train.learning_rate must be a number"),
    ("  generator: tales", "  generator: novels", 3, "dataset.generator is 'novels'"),
    ("title: T", "title: T\n  bad: [", 2, "not valid YAML"),
    ("title: T\n", "", 1, "title is missing"),
    ("title: T", "title: T\nlink_model: off", 2, "link_model must be true or false"),
    ("title: T", "title: T\nlink_model: 'false'", 2, "link_model must be true or false"),
    ("title: T", "title: T\nlink_model: 0", 2, "link_model must be true or false"),
    ("  architecture: gpt2", "  architecture: llama", 5, "model.architecture is 'llama'"),
])
def test_mistakes_name_the_line(tmp_path: Path, old: str, new: str, line: int, says: str) -> None:
    text = recipe(tmp_path, GOOD.replace(old, new))
    assert f"x.yaml:{line}:" in text
    assert says in text


def test_width_must_divide(tmp_path: Path) -> None:
    assert "not a multiple of model.heads 3" in recipe(tmp_path, GOOD.replace("heads: 2", "heads: 3"))


def test_empty_and_binary_files(tmp_path: Path) -> None:
    assert "the file is empty" in recipe(tmp_path, "")
    (tmp_path / "images/x.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="cannot be read"):
        read(tmp_path, "x")


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a.b", "-a", "ä", "a" * 62, "a\n"])
def test_image_names_are_no_paths(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="not the name of a recipe"):
        read(tmp_path, name)


def test_missing_recipe_names_the_nearest(root: Path) -> None:
    with pytest.raises(UserError, match="did you mean tales"):
        read(root, "tale")


def test_download_needs_its_size(tmp_path: Path) -> None:
    text = GOOD.replace("  generator: tales", f"  file: x.txt\n  urls: [http://x/x.txt]\n  sha256: {'ab' * 32}")
    assert "dataset.size is missing" in recipe(tmp_path, text)


# -- published weights --

PUBLISHED = f"""\
title: T
model:
  file: m.bin
  sha256: {'ab' * 32}
  size: 5
tokenizer:
  file: t.bin
  urls: [http://x/t.bin]
  sha256: {'cd' * 32}
  size: 6
"""


def test_published_files(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images/x.yaml").write_text(PUBLISHED)
    made = read(tmp_path, "x").source
    assert isinstance(made, Published) and list(made.files) == ["model.bin", "tokenizer.bin"]
    assert (made.model.file, made.model.urls, made.files["tokenizer.bin"].size) == ("m.bin", (), 6)
    (tmp_path / "images/x.yaml").write_text(PUBLISHED.partition("tokenizer")[0].replace("m.bin", "m.gguf"))
    made = read(tmp_path, "x").source
    assert isinstance(made, Published) and list(made.files) == ["model.gguf"]


@pytest.mark.parametrize(("old", "new", "says"), [
    ("  size: 5\n", "", "x.yaml:3: model.size is missing"),
    ("  size: 5\n", "  size: 4294967296\n", "hint: it must be a whole number from 1 to 4,294,967,295"),
    (f"  sha256: {'ab' * 32}\n", "", "x.yaml:3: model.sha256 is missing"),
    ("m.bin", "../m.bin", "x.yaml:3: model.file is '../m.bin'"),
    ("m.bin", "m.gguf", "m.gguf is a GGUF file, which holds its tokenizer"),
    ("  size: 5\n", "  size: 5\n  layers: 2\n", "x.yaml:6: unknown key model.layers"),
    ("title: T\n", "title: T\nlink_model: true\n", "x.yaml:2: unknown key link_model"),
    ("title: T\n", "title: T\ntrain: {steps: 1, batch: 1}\n", "x.yaml:4: unknown key model.file"),
    (PUBLISHED[PUBLISHED.index("tokenizer"):], "", "tokenizer is missing"),
])
def test_mistakes_about_published_files(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert says in recipe(tmp_path, PUBLISHED.replace(old, new, 1))
