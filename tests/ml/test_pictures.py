"""What pictures are drawn from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from model import checkpoint, pictures
from model.architectures import make
from model.shapes import GptShape, LlamaShape, Shape

SHAPES = [GptShape(256, 32, 2, 2, 8), LlamaShape(256, 32, 2, 4, 2, 16, 20)]


@pytest.mark.parametrize("shape", SHAPES)
def test_maps_are_what_attention_does(shape: Shape) -> None:
    """The values, mixed by the maps, are what the layer's projection is given."""
    torch.manual_seed(1)
    model = make(shape).double().eval()
    normed: list[torch.Tensor] = []
    mixed: list[torch.Tensor] = []
    for layer in model.layers:
        (layer.qkv if isinstance(shape, GptShape) else layer.v).register_forward_hook(
            lambda part, given, out: normed.append(out[..., -shape.width:] if isinstance(shape, GptShape) else out))
        layer.proj.register_forward_hook(lambda part, given, out: mixed.append(given[0]))
    with torch.no_grad():
        for part in model.parameters():
            part.add_(torch.randn_like(part) * 0.3)
    maps = pictures.attention(model, torch.tensor([[5, 9, 200, 9, 7]]))
    for head, values, wanted in zip(maps, normed, mixed, strict=False):
        assert head.shape == (shape.heads, 5, 5) and torch.all(head.triu(1) == 0)
        each = values[0].view(5, -1, shape.width // shape.heads).transpose(0, 1)
        each = each.repeat_interleave(shape.heads // len(each), dim=0)
        assert torch.allclose((head @ each).transpose(0, 1).reshape(5, -1), wanted[0], atol=1e-12)


def test_the_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint.write(tmp_path / "m", make(SHAPES[0]), "bytes")
    assert pictures.main([str(tmp_path / "m"), "--prompt", "a b", "--out", str(tmp_path / "p.json")]) == 0
    found = json.loads((tmp_path / "p.json").read_text())
    assert found["tokens"] == ["a", " ", "b"] and len(found["next"]) == 12
    cold, warm = found["chances"]["0.3"], found["chances"]["2.0"]
    assert cold == sorted(cold, reverse=True) and cold[0] > warm[0] and sum(cold) <= 1.0001
    assert pictures.main([str(tmp_path / "m"), "--prompt", "a" * 33, "--out", str(tmp_path / "p.json")]) == 1
    assert "the prompt has 33 tokens" in capsys.readouterr().err
