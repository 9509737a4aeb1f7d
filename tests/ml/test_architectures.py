"""Models in PyTorch: their sizes, and that a cache changes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model import checkpoint
from model.architectures import make
from model.program import InputError
from model.shapes import PRESETS, GptShape, LlamaShape, Shape, from_json, preset, to_json

COUNTS = {"nano": 120_576, "124m": 163_009_536, "260k": 260_032, "15m": 15_191_712, "42m": 41_689_600,
          "110m": 109_529_856}
SMALL = [GptShape(vocab=37, context=8, layers=1, heads=2, width=16, tied=False),
         GptShape(vocab=93, context=64, layers=2, heads=2, width=32, tied=False, qkv_bias=False),
         LlamaShape(vocab=50, context=32, layers=2, heads=4, kv_heads=2, width=32, hidden=44),
         LlamaShape(vocab=50, context=32, layers=2, heads=2, kv_heads=2, width=16, hidden=44, tied=False)]


def count(shape: Shape) -> int:
    with torch.device("meta"):
        return sum(part.numel() for part in make(shape).parameters())


@pytest.mark.parametrize("name", PRESETS)
def test_parameters_of_presets(name: str) -> None:
    assert count(PRESETS[name]) == PRESETS[name].parameters
    if name in COUNTS:
        assert PRESETS[name].parameters == COUNTS[name]


def test_parameters_that_the_documents_give() -> None:
    big = PRESETS["124m"]
    assert isinstance(big, GptShape)
    assert count(replace(big, context=256)) == 162_419_712
    assert count(replace(big, tied=True)) == 124_412_160
    assert SMALL[0].parameters == count(SMALL[0]) == 4_624
    assert count(replace(SMALL[1], qkv_bias=True)) == 33_472


@pytest.mark.parametrize("shape", SMALL)
def test_a_cache_gives_the_same_logits(shape: Shape) -> None:
    torch.manual_seed(1)
    model = make(shape).double().eval()
    tokens = torch.randint(shape.vocab, (3, shape.context))
    whole = model(tokens)
    for cuts in ([1] * shape.context, [3, 1, shape.context - 4], [shape.context]):
        cache = model.cache(batch=3)
        parts = [model(part, cache) for part in tokens.split(cuts, dim=1)]
        assert torch.allclose(torch.cat(parts, dim=1), whole, atol=1e-12)
        with pytest.raises(InputError, match=f"{shape.context + 1} tokens in a model whose context has"):
            model(tokens[:, :1], cache)


@pytest.mark.parametrize("shape", SMALL)
def test_nothing_looks_ahead(shape: Shape) -> None:
    torch.manual_seed(2)
    model = make(shape).double().eval()
    tokens = torch.randint(shape.vocab, (1, shape.context))
    changed = tokens.clone()
    changed[0, 5:] = (changed[0, 5:] + 1) % shape.vocab
    assert torch.equal(model(tokens)[0, :5], model(changed)[0, :5])
    assert not torch.equal(model(tokens)[0, 5:], model(changed)[0, 5:])


@pytest.mark.parametrize("shape", SMALL)
def test_checkpoints_come_back(shape: Shape, tmp_path: Path) -> None:
    model = make(shape).eval()
    file = tmp_path / "model.safetensors"
    checkpoint.write(file, model, "bytes", {"step": 7}, {"optimizer.m": torch.ones(3)})
    again = checkpoint.read(file)
    assert (again.shape, again.tokenizer, again.meta) == (shape, "bytes", {"step": 7})
    assert torch.equal(again.rest["optimizer.m"], torch.ones(3))
    tokens = torch.randint(shape.vocab, (1, 5))
    assert torch.equal(again.model()(tokens), model(tokens))
    before = file.read_bytes()
    checkpoint.write(file, again.model(), "bytes", {"step": 7}, {"optimizer.m": torch.ones(3)})
    assert file.read_bytes() == before


def test_checkpoints_that_are_none(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    with pytest.raises(InputError, match="there is no file"):
        checkpoint.read(file)
    checkpoint.write(file, make(SMALL[0]), "bytes")
    good = file.read_bytes()
    for damaged in (b"", good[:100], good[:-4], b"\xff" * 64, good.replace(b'"vocab\\"', b'"vocap\\"'),
                    good.replace(b'\\"vocab\\": 37', b'\\"vocab\\": 38'),
                    good.replace(b'\\"architecture\\": \\"gpt2\\"', b'\\"architecture\\": \\"gtp2\\"')):
        assert damaged != good
        file.write_bytes(damaged)
        with pytest.raises(InputError):
            checkpoint.read(file)


@pytest.mark.parametrize("name", PRESETS)
def test_shapes_as_json(name: str) -> None:
    assert from_json(to_json(PRESETS[name])) == PRESETS[name]
    for found in (None, [], {}, {"architecture": "llama"}, {**to_json(PRESETS[name]), "vocab": "1"},
                  {**to_json(PRESETS[name]), "width": 7}, {**to_json(PRESETS[name]), "heads": True},
                  {**to_json(PRESETS[name]), "layers": 1 << 40}, {**to_json(PRESETS[name]), "more": 1}):
        with pytest.raises(InputError):
            from_json(found)


def test_presets_that_there_are_not() -> None:
    with pytest.raises(InputError, match="no preset 7b"):
        preset("7b")
    with pytest.raises(InputError, match="no size hiden"):
        preset("15m", hiden=3)
    assert preset("15m", context=128).context == 128
