"""Recipes: every mistake is an error with file, line and hint."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolchain.errors import UserError
from toolchain.learning import PRESETS, Learning
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


# -- models that learn in PyTorch --

LEARNING = """\
title: T
dataset:
  generator: tales
tokenizer: {kind: bpe, vocab: 512}
model:
  preset: 260k
  context: 64
train:
  steps: 10
  batch: 4
"""
PINNED = f"file: x.model, sha256: {'ab' * 32}, size: 5"
ARCHIVE = f"  file: x.tar.gz\n  sha256: {'ab' * 32}\n  size: 5\n"


def test_presets_are_those_of_the_models() -> None:
    from model.shapes import PRESETS as SHAPES

    assert tuple(SHAPES) == PRESETS


def learns(folder: Path, text: str) -> Learning:
    (folder / "images").mkdir(exist_ok=True)
    (folder / "images/x.yaml").write_text(text)
    made = read(folder, "x").source
    assert isinstance(made, Learning)
    return made


def test_words_of_a_training_in_pytorch(tmp_path: Path) -> None:
    made = learns(tmp_path, LEARNING)
    words = " ".join(made.train)
    assert words.startswith("--preset 260k --size=context=64 --steps 10 --batch 4 --accumulate 1 --lr 0.001 ")
    assert (made.threads, made.link_model, list(made.files)) == (2, False, ["model.gguf"])
    made = learns(tmp_path, LEARNING.replace("steps: 10", "epochs: 3\n  stride: 32") + "export: {format: llama2c}\n")
    assert "--epochs 3 --epochs-stride 32" in " ".join(made.train)
    assert list(made.files) == ["model.bin", "tokenizer.bin"] and made.others == ([], [])
    made = learns(tmp_path, LEARNING + "export: {also: [header, huggingface]}\n")
    assert made.others[1] == ["--huggingface", "huggingface", "--header", "model.h"]
    assert made.others[0][-3:] == ["huggingface/tokenizer.json", "huggingface/tokenizer_config.json", "model.h"]
    made = learns(tmp_path, LEARNING.replace("  generator: tales\n", ARCHIVE + "  shards: 3\n"))
    assert made.dataset.shards == 3


@pytest.mark.parametrize(("old", "new", "says"), [
    ("preset: 260k", "preset: 260m-x", "x.yaml:6: model.preset is '260m-x'"),
    ("  context: 64", "  contxt: 64", "x.yaml:7: unknown key model.contxt"),
    ("  context: 64", "  context: 0", "x.yaml:7: model.context is 0"),
    ("  context: 64", "  width: 65", "8 heads cannot share a width of 65"),
    ("preset: 260k", "preset: 124m\n  kv_heads: 2", "124m has no size kv_heads"),
    ("  context: 64", "  dropout: 2", "model.dropout is 2"),
    ("  context: 64", "  tied: maybe", "model.tied must be true or false"),
    ("  generator: tales", "  text: a\n  generator: tales", "dataset must have one of"),
    ("  generator: tales", "  seed: 3", "dataset must have one of"),
    ("  generator: tales", "  file: x.txt", "dataset.sha256 is missing"),
    ("  generator: tales", f"  file: x.txt\n  sha256: {'ab' * 32}", "dataset.size is missing"),
    ("  generator: tales\n", ARCHIVE, "dataset.shards is missing"),
    ("  generator: tales", "  generator: tales\n  shards: 3", "dataset.shards is of an archive alone"),
    ("{kind: bpe, vocab: 512}", "{kind: words}", "tokenizer.kind is 'words'"),
    ("{kind: bpe, vocab: 512}", "bytes", "tokenizer must hold keys and values"),
    ("{kind: bpe, vocab: 512}", "{kind: bpe}", "tokenizer.vocab is missing"),
    ("{kind: bpe, vocab: 512}", "{kind: bpe, vocab: 9}", "tokenizer.vocab is 9"),
    ("{kind: bpe, vocab: 512}", "{kind: gpt2, vocab: 512}", "tokenizer.vocab is not for gpt2"),
    ("{kind: bpe, vocab: 512}", "{kind: llama}", "tokenizer.file is missing"),
    ("{kind: bpe, vocab: 512}", "{kind: llama, file: x.model}", "tokenizer.sha256 is missing"),
    ("{kind: bpe, vocab: 512}", "{kind: bytes, " + PINNED + "}", "tokenizer.file is not for bytes"),
    ("  steps: 10", "  warmup: 1", "either steps or epochs"),
    ("  steps: 10", "  steps: 10\n  epochs: 1\n  stride: 9", "either steps or epochs"),
    ("  steps: 10", "  epochs: 1", "train.stride belongs to train.epochs"),
    ("  steps: 10", "  steps: 10\n  stride: 9", "train.stride belongs to train.epochs"),
    ("  steps: 10", "  steps: 10\n  accumulate: 3", "not a multiple of train.accumulate"),
    ("  steps: 10", "  steps: 10\n  threads: 0", "train.threads is 0"),
    ("  steps: 10", "  steps: 10\n  device: tpu", "train.device is 'tpu'"),
    ("  steps: 10", "  steps: 10\n  bf16: 1", "train.bf16 must be true or false"),
    ("title: T", "title: T\nexport: {format: onnx}", "export.format is 'onnx'"),
    ("title: T", "title: T\nexport: {also: [hugingface]}", "export.also names 'hugingface'"),
    ("title: T", "title: T\nexport: {also: header}", "export.also must be a list"),
    ("vocab: 512}", "vocab: 65536}\nexport: {also: [header]}", "a C header of 4,421,568 parameters"),
    ("title: T", "title: T\nexport: {type: Q9}", "export.type is 'Q9'"),
    ("title: T", "title: T\nexport: {format: llama2c, type: F16}", "export.type F16 is not of llama2.c"),
    ("title: T", "title: T\nlink_model: true\nexport: {format: llama2c}", "which has two files"),
    ("{kind: bpe, vocab: 512}", "{kind: bytes}\nexport: {format: llama2c}", "export.format llama2c has Llamas"),
])
def test_mistakes_about_learning(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in LEARNING
    text = recipe(tmp_path, LEARNING.replace(old, new, 1))
    assert says in text and "x.yaml" in text
