"""The rungs of ./doit validate, small; the long ones are run by the command itself."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model import checkpoint, demo
from model.architectures import make
from model.decoding import Strategy, generate
from model.export import checkpoint as export
from model.infer import prompt_ids
from model.shapes import GptShape, LlamaShape
from model.tokenizers import bpe, table
from model.tokenizers import make as tokenizer
from model.validate import __main__ as program
from model.validate import c_trainer, gradients, memorise, nano, snippet_text, snippets, stories, trainer, verdict
from model.validate.goals import GPT2, HOST, PROMPTS, RUNGS, SHAKESPEARE, TOKENS, TRAINER, VERDICT, rung
from model.validate.operations import CASES

torch.set_num_threads(1)


def silent(done: int, of: int, note: str) -> None:
    assert 0 <= done <= of and note


@pytest.mark.parametrize("name", CASES)
def test_an_operation_is_pytorch_s(name: str) -> None:
    assert gradients.from_torch(CASES[name]) < gradients.FROM_TORCH


def test_whole_models_by_finite_differences() -> None:
    for shape in gradients.SHAPES.values():
        by_difference, by_torch = gradients.of_model(shape)
        assert by_difference < gradients.FROM_DIFFERENCES and by_torch < gradients.FROM_TORCH


def test_twelve_sequences_by_heart() -> None:
    assert memorise.SHAPE.parameters == 4624
    every = memorise.sequences()
    assert every.shape == (12, 8) and len({tuple(row[:2]) for row in every.tolist()}) == 12
    assert len(set(every[:, 0])) < 12 and len(set(every[:, 1])) < 12, "one symbol must not tell"
    assert memorise.measure(silent, replace(memorise.OPTIONS, steps=150)).passed
    assert memorise.OPTIONS.steps <= 1000


def test_too_short_a_training_misses() -> None:
    found = memorise.measure(silent, replace(memorise.OPTIONS, steps=2))
    assert not found.passed and found.measured.startswith("0 of 12")


def test_no_prompt_is_in_the_text() -> None:
    text = snippet_text.text(1, 1)
    assert snippets.SHAPE.parameters == 33472 and snippet_text.table().vocab == 93
    for prompt, right in snippet_text.PROMPTS.items():
        assert prompt not in text
        assert not any(prompt + line in text for line in right)
        assert prompt.split("(")[0] in text or prompt.startswith("for "), "its pattern is"
    for what, name in snippet_text.HELD_OUT:
        assert any(name in prompt for prompt in snippet_text.PROMPTS), what


def test_snippets_are_scored_as_they_are_learnt() -> None:
    found = snippets.measure(silent, replace(snippets.OPTIONS, steps=6, eval_every=3))
    assert not found.passed and len(found.said) == 5 and all(line.startswith("WRONG") for line in found.said)
    losses, scores, by_loss = found.charts
    assert [x for x, _ in scores.lines["completed"]] == [3, 6]
    assert len(losses.lines["one batch"]) == 6 and len(by_loss.lines["completed"]) == 2


needs_trainer = pytest.mark.skipif(not Path(TRAINER).is_file() or Path(TRAINER).stat().st_size == 0,
                                   reason="the C trainer is not built")


@needs_trainer
def test_the_c_trainer_is_pytorch() -> None:
    assert trainer.measure(silent).passed


@needs_trainer
def test_other_batches_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Others(c_trainer.Windows):
        def batch(self, step: int) -> c_trainer.Batch:
            return super().batch(step + 1)

    monkeypatch.setattr(trainer, "Windows", Others)
    assert not trainer.measure(silent, replace(trainer.OPTIONS, steps=3)).passed


@needs_trainer
@pytest.mark.skipif(not Path(SHAKESPEARE).is_file(), reason="needs tinyshakespeare.txt")
def test_nano_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = Path(SHAKESPEARE).read_bytes()[:40_000]
    (tmp_path / "text").write_bytes(text)
    monkeypatch.setattr(nano, "SHAKESPEARE", str(tmp_path / "text"))
    found = nano.measure(silent, replace(nano.OPTIONS, steps=40, warmup=10, eval_every=20))
    assert [x for x, _ in found.charts[1].lines["PyTorch"]] == [20, 40]
    assert [x for x, _ in found.charts[1].lines["C trainer"]] == [20, 40]
    assert all(3 < line[-1][1] < 4 for line in found.charts[1].lines.values()), found.measured


@pytest.mark.skipif(not all(Path(name).is_file() for name in (VERDICT, *GPT2)), reason="needs the-verdict.txt, gpt2/")
def test_verdict_runs() -> None:
    shape = GptShape(vocab=50257, context=64, layers=1, heads=2, width=8, tied=False)
    found = verdict.measure(silent, shape, replace(verdict.OPTIONS, batch=8), epochs=2)
    first, *rest = found.charts[0].lines["training, one batch"]
    assert first[1] == pytest.approx(10.82, abs=0.05) and len(rest) == 2 * 10 and rest[-1][1] < first[1]
    assert not found.passed


@pytest.mark.skipif(not Path(HOST).is_file() or Path(HOST).stat().st_size == 0, reason="the host engine is not built")
@pytest.mark.parametrize("changed, loss, passed", [("", 0.2, True), ("!", 0.2, False), ("", 0.4, False)])
def test_stories_are_compared(changed: str, loss: float, passed: bool, tmp_path: Path) -> None:
    torch.manual_seed(1)
    about = bpe.train([snippet_text.text(1, 1)], 400)
    model = make(LlamaShape(vocab=400, context=TOKENS + 30, layers=1, heads=2, kv_heads=1, width=16, hidden=24)).eval()
    with torch.no_grad():
        for part in model.parameters():
            part.add_(torch.randn_like(part) * 0.1)
    checkpoint.write(tmp_path / "model.safetensors", model, about.kind)
    table.write(tmp_path / "tokenizer.json", about)
    assert export.main([f"{tmp_path}/model.safetensors", f"--tokenizer={tmp_path}/tokenizer.json", "--name=small",
                        f"--gguf={tmp_path}/model.gguf"]) == 0
    words, replies = tokenizer(about), []
    for prompt in PROMPTS:
        ids = prompt_ids(words, prompt)
        made = list(generate(model, ids, Strategy(temp=0), TOKENS, ends=frozenset((1, 2))))
        replies.append({"prompt": prompt, "text": words.decode([*ids, *made])})
    replies[1]["text"] += changed
    (tmp_path / "boot.json").write_text(json.dumps({"replies": replies}))
    (tmp_path / "train.jsonl").write_text(json.dumps({"step": 1, "loss": 1, "val_loss": loss}))
    found = stories.measure(silent, tuple(str(tmp_path / name) for name in (
        "model.safetensors", "tokenizer.json", "model.gguf", "train.jsonl", "boot.json")))
    assert found.passed == passed and found.measured.startswith("2 of 3" if changed else "3 of 3"), found.said


def test_the_program_writes_all_that_it_ran(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memorise, "OPTIONS", replace(memorise.OPTIONS, steps=2))
    monkeypatch.setattr(memorise.measure, "__defaults__", (memorise.OPTIONS,))
    assert program.main(["--only", "memorise", "--out", str(tmp_path)]) == 0
    one, = json.loads((tmp_path / "validate.json").read_text())["rungs"]
    assert one["name"] == "memorise" and not one["passed"] and one["charts"][0]["lines"]["loss"]
    *_, last, _ = capsys.readouterr().out.split("\n")
    assert last.startswith("\x1e") and json.loads(last[1:])["result"]["passed"] is False


def test_a_rung_without_its_files(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert program.main(["--only", "nano", "--out", str(tmp_path)]) == 1
    assert "the rung nano needs train, data/tinyshakespeare.txt" in capsys.readouterr().err


def test_names() -> None:
    assert len({one.name for one in RUNGS}) == len(RUNGS) and rung("nano") in RUNGS and rung("none") is None


def test_the_demonstration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "STEPS", 12)
    monkeypatch.setattr(demo, "OPTIONS", replace(demo.OPTIONS, steps=12, eval_every=12))
    checkpoint.write(tmp_path / "model.safetensors", make(GptShape(256, 32, 1, 2, 16)), "bytes")
    assert demo.main([str(tmp_path / "model.safetensors"), "--out", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "demo.json").read_text())
    assert [step for step, _ in found["losses"]] == list(range(1, 13))
    assert found["judged"][1] < found["judged"][0] - 0.1
    for prompt, before, after in zip(demo.PROMPTS, found["before"], found["after"], strict=True):
        assert before.startswith(prompt) and after.startswith(prompt) and before != after


def test_a_demonstration_without_a_prompt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.main(["none", "--prompt", "", "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("error: the prompt is empty\nhint: ")
