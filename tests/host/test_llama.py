"""Llama models: the forward pass against numpy, for each type of tensor and both kinds of file; the same bits for any
kernel, number of threads and batch; llama2.c's own texts."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.engine import llamas
from tests.engine.llamas import LLAMA2C, Shape
from tests.engine.models import BOOL, Array, Key
from tests.host.conftest import Run

KERNELS = ("scalar", "sse2", "avx2", "avx512", "avx512vnni")
SHAPE = Shape()


def fed(run: Run, model: Path, folder: Path, *words: str, vocab: int = 256) -> tuple[bytes, Array]:
    """stdout, and the logits of each token fed."""
    file = folder / "logits"
    out = run(model, "-t", "0", *words, "--logits", file).stdout
    return out, np.fromfile(file, np.float32).reshape(-1, vocab)


def followed(prompt: Sequence[int], logits: Array) -> list[int]:
    """The tokens fed: the prompt, and what greedy decoding takes from these logits."""
    return [*prompt, *(int(np.argmax(row)) for row in logits[len(prompt) - 1:-1])]


def close(found: Array, wanted: Array, tolerance: float) -> None:
    """Within `tolerance` of the logits' standard deviation."""
    assert found.shape == wanted.shape
    worst = np.abs(found - wanted).max() / wanted.std()
    assert worst < tolerance, worst


@pytest.mark.parametrize("types", ["F32", "F16", "Q8_0", "Q4_0",
                                   {"attn_q": "Q8_0", "attn_k": "F16", "attn_v": "Q4_0", "ffn_gate": "F16",
                                    "ffn_down": "Q4_0", "output": "Q8_0", "token_embd": "Q4_0"}], ids=str)
def test_every_type(run: Run, tmp_path: Path, types: dict[str, str] | str) -> None:
    """Grouped queries, a head of its own, and each matrix in a type of its own."""
    tensors = llamas.random_tensors(SHAPE)
    model = tmp_path / "model.gguf"
    model.write_bytes(llamas.model_bytes(SHAPE, tensors, types))
    prompt = b"Once upon a time"
    _, logits = fed(run, model, tmp_path, "-i", prompt.decode(), "-n", "24")
    read, quantised = llamas.restored(tensors, types)
    wanted = llamas.logits(SHAPE, read, followed(prompt, logits), quantised)
    close(logits, wanted, 1e-4 if types in ("F32", "F16") else 0.03)


@pytest.mark.parametrize("shape", [Shape(layers=1, heads=1, kv_heads=1, width=6, hidden=5, context=3),
                                   Shape(heads=6, kv_heads=6, width=48, hidden=33, theta=500000.0),
                                   Shape(heads=8, kv_heads=1, head_width=12, width=40, eps=1e-3),
                                   Shape(context=1)], ids=str)
@pytest.mark.parametrize("tied", [True, False])
def test_other_shapes(run: Run, tmp_path: Path, shape: Shape, tied: bool) -> None:
    """And past the context: the oldest position is overwritten, positions go on."""
    tensors = llamas.random_tensors(shape, seed=2, tied=tied)
    model = tmp_path / "model.gguf"
    model.write_bytes(llamas.model_bytes(shape, tensors))
    prompt = "abcde"[:shape.context]
    _, logits = fed(run, model, tmp_path, "-i", prompt, "--tokens", "60")
    tokens = followed(prompt.encode(), logits)
    close(logits, llamas.logits(shape, tensors, tokens), 2e-4)


def test_factors_of_the_frequencies(run: Run, tmp_path: Path) -> None:
    """rope_freqs.weight, as Llama 3.1 has it."""
    tensors, factors = llamas.random_tensors(SHAPE), np.linspace(1, 8, SHAPE.hw // 2, dtype=np.float32)
    model = tmp_path / "model.gguf"
    model.write_bytes(llamas.model_bytes(SHAPE, tensors, extra={"rope_freqs.weight": factors}))
    _, logits = fed(run, model, tmp_path, "-i", "Once", "-n", "24")
    tokens = followed(b"Once", logits)
    close(logits, llamas.logits(SHAPE, tensors, tokens, factors=factors), 1e-4)
    assert np.abs(logits - llamas.logits(SHAPE, tensors, tokens)).max() > 0.01


@pytest.mark.parametrize("types", ["F32", "F16", "Q8_0", "Q4_0"])
def test_the_same_bits(run: Run, tmp_path: Path, types: str) -> None:
    """For each kernel, number of threads and batch, before the context is full and after; wide enough to be split."""
    shape = Shape(width=192, heads=6, kv_heads=2, hidden=320, context=40)
    model = tmp_path / "model.gguf"
    model.write_bytes(llamas.model_bytes(shape, llamas.random_tensors(shape), types))
    results = {}
    for words in [("-j", "1"), ("-j", "2"), ("-j", "3"), ("--batch", "1"), ("--batch", "7", "-j", "2"),
                  *(("--kernel", kernel, "-j", "2") for kernel in KERNELS)]:
        try:
            out, logits = fed(run, model, tmp_path, "-i", "The quick brown fox jumps over", "--tokens", "30", *words)
        except AssertionError as e:
            assert "hint:" in str(e)  # this CPU has no such instructions
            assert words[1].startswith("avx")
            continue
        results[words] = (out, logits.tobytes())
    assert len(results) >= 7
    assert len(set(results.values())) == 1


def llama2c_tokens(prompt: str) -> list[int]:
    return [1, *(3 + byte for byte in (b" " + prompt.encode() if prompt else b""))]


def llama2c_fed(run: Run, folder: Path, file: bytes, *words: str) -> tuple[bytes, Array]:
    model, tokenizer = folder / "model.bin", folder / "own.bin"
    model.write_bytes(file)
    tokenizer.write_bytes(llamas.tokenizer_bin())
    return fed(run, model, folder, "-z", str(tokenizer), *words, vocab=LLAMA2C.vocab)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("prompt", ["", "Once upon"])
def test_llama2c_v0(run: Run, tmp_path: Path, tied: bool, prompt: str) -> None:
    tensors = llamas.random_tensors(LLAMA2C, tied=tied)
    _, logits = llama2c_fed(run, tmp_path, llamas.v0(LLAMA2C, tensors).data, "-i", prompt, "-n", "20")
    tokens = followed(llama2c_tokens(prompt), logits)
    close(logits, llamas.logits(LLAMA2C, tensors, tokens), 1e-4)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("group", [32, 64, 16, 8, 1])
def test_llama2c_v2(run: Run, tmp_path: Path, tied: bool, group: int) -> None:
    """In place where the group is whole blocks; else expanded."""
    shape = Shape(vocab=LLAMA2C.vocab, hidden=128)
    file, tensors, quantised = llamas.v2(shape, llamas.random_tensors(shape, tied=tied), group)
    _, logits = llama2c_fed(run, tmp_path, file.data, "-i", "Once", "-n", "20")
    tokens = followed(llama2c_tokens("Once"), logits)
    close(logits, llamas.logits(shape, tensors, tokens, quantised), 0.03 if quantised else 1e-4)


def model_that_says(tokens: Sequence[int], shape: Shape) -> dict[str, Array]:
    """A model whose layers do nothing, that says these tokens one after the other, from bos on."""
    tensors = {name: np.zeros_like(t) for name, t in llamas.random_tensors(shape).items()}
    tensors["output_norm.weight"] += 1
    for place, (token, following) in enumerate(zip([1, *tokens], tokens, strict=False)):
        tensors["token_embd.weight"][token, place] = 1
        tensors["output.weight"][following, place] = 1
    return tensors


@pytest.mark.parametrize("end", [1, 2])
def test_bos_ends_a_text_of_llama2c(run: Run, tmp_path: Path, end: int) -> None:
    said = [3 + byte for byte in b"abc"]
    tensors = model_that_says([*said, end], LLAMA2C)
    out, logits = llama2c_fed(run, tmp_path, llamas.v0(LLAMA2C, tensors).data, "-n", "20")
    assert out == b"abc\n"
    assert len(logits) == 4


@pytest.mark.parametrize("add", [True, False])
def test_bos_of_a_gguf(run: Run, tmp_path: Path, add: bool) -> None:
    """tokenizer.ggml.add_bos_token decides whether it goes before a prompt."""
    tensors = llamas.random_tensors(SHAPE)
    model = tmp_path / "model.gguf"
    model.write_bytes(llamas.model_bytes(SHAPE, tensors, more=[Key("tokenizer.ggml.add_bos_token", BOOL, add)]))
    out, logits = fed(run, model, tmp_path, "-i", "Hi", "-n", "12")
    tokens = followed(b"\nHi" if add else b"Hi", logits)
    assert len(tokens) == (12 if add else 11)  # the last one is shown and not fed
    assert out.startswith(b"Hi")
    close(logits, llamas.logits(SHAPE, tensors, tokens), 1e-4)


def golden(data: Callable[[str], Path]) -> list[tuple[list[str], str]]:
    return [(entry["args"], entry["stdout"]) for entry in json.loads(data("stories260K-llama2c.json").read_text())]


def test_llama2c_s_texts(run: Run, data: Callable[[str], Path]) -> None:
    """What llama2.c prints: greedy, and with seeds 1 to 20."""
    files = (data("stories260K.bin"), "-z", data("tok512.bin"))
    texts = golden(data)
    assert len(texts) == 21
    for args, text in texts:
        assert run(*files, *args).stdout.decode() == text, args


@pytest.mark.parametrize("words", [*(("--kernel", kernel) for kernel in KERNELS), ("-j", "1"), ("-j", "2"),
                                   ("-j", "3")], ids=" ".join)
def test_llama2c_s_text_everywhere(run: Run, data: Callable[[str], Path], words: tuple[str, ...]) -> None:
    args, text = golden(data)[0]
    try:
        out = run(data("stories260K.bin"), "-z", data("tok512.bin"), *args, *words).stdout.decode()
    except AssertionError as e:
        assert "hint:" in str(e) and words[1].startswith("avx")
        pytest.skip(f"this CPU has no {words[1]}")
    assert out == text
    assert text.startswith("Once upon a time, there was a little girl named Lily. She loved to play outside in the "
                           "park. One day, she saw a big, red ball.")
    assert text.endswith("Lily didn't want to help her mom, so she\n")


def test_tokenizer_bin_of_the_working_folder(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As llama2.c; without one the error says what is missing."""
    model = tmp_path / "model.bin"
    model.write_bytes(llamas.v0(LLAMA2C, llamas.random_tensors(LLAMA2C)).data)
    monkeypatch.chdir(tmp_path)
    lines = run(model, "-n", "3", status=1).stderr.decode().splitlines()
    assert lines[0] == "ingot: a llama2.c file needs its tokenizer, and none was given"
    assert "-z" in lines[1]
    (tmp_path / "tokenizer.bin").write_bytes(llamas.tokenizer_bin())
    assert run(model, "-n", "3").stdout


def test_the_model_is_shown(run: Run, tmp_path: Path) -> None:
    model = tmp_path / "model.gguf"
    tensors = llamas.random_tensors(SHAPE)
    model.write_bytes(llamas.model_bytes(SHAPE, tensors, {"attn_q": "Q8_0", "output": "F16"}))
    lines = run(model, "-n", "1").stderr.decode().splitlines()
    params = sum(tensor.size for tensor in tensors.values())
    assert (f"[model] name=small params={params} context=24 tokenizer=bytes layers=2 heads=4 kv_heads=2 width=64 "
            "hidden=96 vocab=256 arch=llama types=F32,F16,Q8_0") in lines


def test_bytes_per_token(run: Run, tmp_path: Path) -> None:
    """The head is read whole, of its own embeddings a row."""
    for tied in (True, False):
        model, tensors = tmp_path / "model.gguf", llamas.random_tensors(SHAPE, tied=tied)
        model.write_bytes(llamas.model_bytes(SHAPE, tensors))
        result = json.loads(run(model, "--bench", "-j", "1").stdout)
        unread = 0 if tied else (SHAPE.vocab - 1) * SHAPE.width * 4
        assert result["bytes_per_token"] == sum(tensor.nbytes for tensor in tensors.values()) - unread
