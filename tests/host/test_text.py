"""`ingot MODEL`: the forward pass, sampling, the sliding context, and what goes to stdout."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.engine import llama2c, models
from tests.host.conftest import SHAPE, TENSORS, Run, model_that_says

KERNELS = ("scalar", "sse2", "avx2", "avx512", "avx512vnni")


def with_logits(run: Run, model: Path, folder: Path, *words: str) -> tuple[bytes, llama2c.Array]:
    """stdout, and the logits of each token fed."""
    file = folder / "logits"
    out = run(model, *words, "--logits", file).stdout
    return out, np.fromfile(file, np.float32).reshape(-1, 256)


def shown(tokens: Sequence[int]) -> bytes:
    """The text of byte tokens, as the program may show it."""
    text = bytes(tokens).decode("utf-8", "replace")
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) != "Cc").encode()


def followed(prompt: bytes, logits: llama2c.Array) -> list[int]:
    """The tokens that greedy decoding takes from these logits, after the prompt."""
    new = [int(np.argmax(row)) for row in logits[len(prompt) - 1:]]
    return [*prompt, *new]


def test_logits_are_those_of_the_model(run: Run, tiny: Path, tmp_path: Path) -> None:
    prompt = b"Hello"
    out, logits = with_logits(run, tiny, tmp_path, "-i", "Hello", "-t", "0", "-n", "16")
    tokens = followed(prompt, logits)
    assert out == shown(tokens) + b"\n"
    assert len(tokens) == 16
    np.testing.assert_allclose(logits, models.logits(SHAPE, TENSORS, tokens[:-1]), rtol=1e-4, atol=2e-4)


@pytest.mark.parametrize("shape", [models.Shape(context=1, layers=1, heads=1, width=4, hidden=16),
                                   models.Shape(context=7, layers=1, heads=4, width=20, hidden=33),
                                   models.Shape(context=12, layers=3, heads=3, width=48, hidden=200)])
def test_other_shapes_and_a_head_of_its_own(run: Run, tmp_path: Path, shape: models.Shape) -> None:
    tensors = models.random_tensors(shape, seed=3)
    tensors["output.weight"] = models.random_tensors(shape, seed=4)["token_embd.weight"]
    model = tmp_path / "model.gguf"
    model.write_bytes(models.model_bytes(shape, tensors))
    _, logits = with_logits(run, model, tmp_path, "-i", "ab"[:shape.context], "-t", "0", "--tokens", "40")
    tokens = followed(b"ab"[:shape.context], logits)
    if 0 not in tokens:
        assert len(tokens) == 40 + min(shape.context, 2)
    np.testing.assert_allclose(logits, models.sliding_logits(shape, tensors, tokens[:-1]), rtol=1e-4, atol=3e-4)


def test_past_the_context(run: Run, tiny: Path, tmp_path: Path) -> None:
    """The older half goes, the rest is computed anew: as a model would that saw only the rest."""
    out, logits = with_logits(run, tiny, tmp_path, "-i", "Once", "-t", "0", "--tokens", "60")
    tokens = followed(b"Once", logits)
    assert len(tokens) == 64
    assert out == shown(tokens)  # and no newline after it
    np.testing.assert_allclose(logits, models.sliding_logits(SHAPE, TENSORS, tokens[:-1]), rtol=1e-4, atol=3e-4)


def test_a_prompt_longer_than_the_context(run: Run, tiny: Path, tmp_path: Path) -> None:
    """One that fills it is run; of a longer one nothing is dropped in silence."""
    out, logits = with_logits(run, tiny, tmp_path, "-i", "The quick brown ", "-t", "0", "--tokens", "5")
    tokens = followed(b"The quick brown ", logits)
    assert out == shown(tokens)
    np.testing.assert_allclose(logits, models.sliding_logits(SHAPE, TENSORS, tokens[:-1]), rtol=1e-4, atol=3e-4)
    refused = run(tiny, "-i", "The quick brown f", "-t", "0", "--tokens", "5", status=1)
    assert refused.stdout == b""
    assert refused.stderr.decode().endswith("ingot: the prompt has 17 tokens; the context holds 16\n"
                                            "hint: a shorter prompt, or a model with a longer context\n")


@pytest.mark.parametrize("flags", [(), ("-p", "1"), ("-t", "0.5", "-p", "0.5"), ("--top-k", "3")])
def test_samples_as_llama2c(run: Run, tiny: Path, tmp_path: Path, flags: Sequence[str]) -> None:
    words = {"-t": "1.0", "-p": "0.9", "--top-k": "0", **dict(zip(flags[::2], flags[1::2], strict=True))}
    out, logits = with_logits(run, tiny, tmp_path, "-i", "Once", "--tokens", "50", "-s", "99", *flags)
    rng, tokens = llama2c.Rng(99), list(b"Once")
    for row in logits[len(tokens) - 1:]:
        x = row / np.float32(words["-t"])
        e = np.exp(x - x.max())
        probs, top_p, top_k = (e / e.sum()).astype(np.float32), float(words["-p"]), int(words["--top-k"])
        tokens.append(llama2c.sample_top_k(probs, top_k, top_p, rng.f32()) if top_k
                      else llama2c.sample(probs, top_p, rng.f32()))
    assert out == shown([token for token in tokens if token != 0])


def test_every_kernel_gives_the_same(run: Run, tiny: Path, tmp_path: Path) -> None:
    results = {}
    for kernel in KERNELS:
        try:
            words = ("-i", "Once", "-s", "5", "--tokens", "40", "--kernel", kernel)
            out, logits = with_logits(run, tiny, tmp_path, *words)
        except AssertionError as e:
            assert "hint:" in str(e)  # this CPU has no such instructions
            assert kernel not in ("scalar", "sse2")
            continue
        results[kernel] = (out, logits.tobytes())
    assert len(set(results.values())) == 1


def test_same_seed_same_words(run: Run, tiny: Path) -> None:
    texts = [run(tiny, "-i", "Once", "-s", seed, "--tokens", "40").stdout for seed in ("1", "1", "2")]
    assert texts[0] == texts[1] != texts[2]


def test_n_counts_all_positions(run: Run, tiny: Path) -> None:
    def stats(*words: str) -> tuple[bytes, int, int]:
        done = run(tiny, "-t", "0", *words)
        found = re.search(rb"^\[stats\] tokens=(\d+) time_ms=\d+ tok_s=\d+\.\d prompt_tokens=(\d+)$", done.stderr, re.M)
        assert found, done.stderr
        return done.stdout, int(found[1]), int(found[2])

    assert stats("-i", "Hello", "-n", "8")[1:] == (3, 5)
    assert stats("-i", "Hello", "-n", "5") == (b"Hello\n", 0, 5)
    assert stats("-i", "Hello", "-n", "3") == (b"Hel\n", 0, 3)
    for steps in ("0", "16", "17", "1000", "-1"):  # 0 and more than the context: the context
        assert stats("-i", "Hello", "-n", steps)[1:] == (11, 5)
    assert stats("-i", "Hello")[1:] == (11, 5)
    assert stats("-n", "4")[1:] == (4, 0)


def test_an_empty_prompt_starts_from_bos(run: Run, tiny: Path, tmp_path: Path) -> None:
    """bos is fed and not shown."""
    out, logits = with_logits(run, tiny, tmp_path, "-t", "0", "--tokens", "10")
    tokens = followed(b"\n", logits)
    assert out == shown(tokens[1:])
    assert len(tokens) == 11
    np.testing.assert_allclose(logits, models.logits(SHAPE, TENSORS, tokens[:-1]), rtol=1e-4, atol=2e-4)


def test_code_points_span_tokens(run: Run, tmp_path: Path) -> None:
    """UTF-8 whole, even across the prompt's end; controls dropped; what is no UTF-8 replaced."""
    prompt, said = b"\xc3", b"\xa9" + ", \u20ac 🙂\n".encode() + b"a\x1b[2J\x02b\x7f\xff\xe2\x82"
    model = model_that_says(tmp_path, said)
    done = run(model, "-i", prompt.decode("utf-8", "surrogateescape"), "-t", "0", "--tokens", str(len(said)))
    assert done.stdout == shown([*prompt, *said])


def test_eos_ends_the_text(run: Run, tmp_path: Path) -> None:
    model = model_that_says(tmp_path, b"abc\0def")
    done = run(model, "-t", "0", "--tokens", "20")
    assert done.stdout == b"abc"
    assert b"tokens=3 " in done.stderr


def test_control_bytes_of_a_prompt_are_left_out(run: Run, tiny: Path) -> None:
    """So that a prompt means the same here and typed over a serial line."""
    plain = run(tiny, "-i", "a\nb\tc", "-t", "0", "--tokens", "9").stdout
    assert run(tiny, "-i", "a\r\n\x02b\x7f\tc\x1b", "-t", "0", "--tokens", "9").stdout == plain


def test_numbers_that_are_none(run: Run, tmp_path: Path) -> None:
    tensors = {**TENSORS, "output_norm.bias": np.full(SHAPE.width, np.nan, np.float32)}
    model = tmp_path / "nan.gguf"
    model.write_bytes(models.model_bytes(SHAPE, tensors))
    done = run(model, "-i", "Hi", "--tokens", "5", status=1)
    assert done.stdout == b"Hi"
    assert done.stderr.splitlines()[-2:] == [b"ingot: the model gives a logit that is no finite number",
                                             b"hint: the model's weights are damaged, or its training failed"]
