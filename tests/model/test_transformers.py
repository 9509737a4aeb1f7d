"""Exported folders in Hugging Face's transformers, and its own folders in our engine: the same logits, the same tokens.

llama.cpp reads the GGUF of the same checkpoints.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from model.shapes import GptShape, LlamaShape, Shape, to_json
from tests import peers
from tests.cbuild import host_program
from tests.model.test_llama_cpp import trained_weights
from tests.project import ROOT

pytestmark = pytest.mark.slow

Array = NDArray[np.float32]
BOUND = 1e-4
STEPS = 200
TEXT = "once upon a time there was a little dog who sat on the red house"
GPT = GptShape(vocab=256, context=128, layers=3, heads=4, width=64)
LLAMA = LlamaShape(vocab=300, context=128, layers=3, heads=8, kv_heads=2, width=64, hidden=96, rope_theta=50_000.0)


@pytest.fixture(autouse=True)
def needed() -> None:
    peers.needs("transformers", "torch", "sentencepiece", "tiktoken")


@pytest.fixture(scope="module")
def ingot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return host_program(tmp_path_factory)


Request = dict[str, Any]


def side(*requests: Request) -> list[Any]:
    """The answers of functions of torch_side.py."""
    done = subprocess.run([peers.interpreter(), "-m", "tests.model.torch_side"], cwd=ROOT, capture_output=True,
                          input=json.dumps(requests), text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    found: list[Any] = json.loads(done.stdout)
    return found


def ask(what: str, **more: Any) -> Request:
    return {"what": what, **more}


def exporting(folder: Path, model: str = "model.safetensors", to: str = "hf") -> Request:
    return ask("program", module="model.export.checkpoint", words=[
        f"{folder}/{model}", f"--tokenizer={folder}/tokenizer.json", "--name=small", f"--huggingface={folder}/{to}",
        f"--gguf={folder}/model.gguf"])


def importing(folder: Path) -> Request:
    return ask("program", module="model.importing.__main__", words=[
        f"{folder}/hf", f"--out={folder}/model.safetensors", f"--tokenizer={folder}/tokenizer.json"])


def rows(path: Path, count: int) -> Array:
    return np.fromfile(path, "<f4").reshape(count, -1)


def engines(ingot: Path, folder: Path, text: str, count: int) -> Array:
    """Of the GGUF."""
    subprocess.run([ingot, folder / "model.gguf", "-n", "0", "-t", "0", "-i", text, "--logits", folder / "engines"],
                   check=True, capture_output=True)
    found = np.fromfile(folder / "engines", "<f4")
    vocab = json.loads((folder / "hf/config.json").read_text())["vocab_size"]
    return found.reshape(-1, vocab)[:count]


def near(a: Array, b: Array) -> None:
    """Within 1e-4, of logits that are some units large."""
    assert a.shape == b.shape and np.abs(b).max() > 1
    assert np.abs(a - b).max() < BOUND, np.abs(a - b).max()


@pytest.mark.parametrize("shape", [GPT, replace(GPT, tied=False, qkv_bias=False), LLAMA,
                                   replace(LLAMA, tied=False, kv_heads=8)])
def test_transformers_has_our_logits(shape: Shape, tmp_path: Path, ingot: Path) -> None:
    encode = ask("encode", tokenizer=f"{tmp_path}/tokenizer.json", text=TEXT)
    _, ids, _ = side(ask("random_model", shape=to_json(shape), folder=str(tmp_path)), encode, exporting(tmp_path))
    side(ask("logits", model=f"{tmp_path}/model.safetensors", ids=ids, out=f"{tmp_path}/ours"))
    found = peers.ask("transformers_run", folder=f"{tmp_path}/hf", ids=ids, out=f"{tmp_path}/theirs", tokens=1,
                      texts=[TEXT])
    assert found["class"] == ("GPT2LMHeadModel" if isinstance(shape, GptShape) else "LlamaForCausalLM")
    assert found["tokens"] == [ids]
    theirs = rows(tmp_path / "theirs", len(ids))
    near(rows(tmp_path / "ours", len(ids)), theirs)
    near(engines(ingot, tmp_path, TEXT, len(ids)), theirs)


SIZES = {"vocab_size": 300, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
         "num_attention_heads": 8, "num_key_value_heads": 2, "max_position_embeddings": 128, "bos_token_id": 1,
         "eos_token_id": 2}
GPT_SIZES = {"vocab_size": 256, "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 128, "bos_token_id": 10,
             "eos_token_id": 0}
THEIRS: dict[str, tuple[str, dict[str, Any], str, str | None]] = {
    "tied": ("Llama", {**SIZES, "tie_word_embeddings": True, "rms_norm_eps": 1e-5}, "float32", None),
    "untied": ("Llama", {**SIZES, "rope_theta": 500_000.0}, "float32", None),
    "rope 5": ("Llama", {**SIZES, "rope_parameters": {"rope_type": "default", "rope_theta": 2e4}}, "float32", None),
    "sharded": ("Llama", SIZES, "float32", "60KB"),
    "bf16": ("Llama", {**SIZES, "num_key_value_heads": 8}, "bfloat16", "60KB"),
    "f16": ("Llama", SIZES, "float16", None),
    "mistral": ("Mistral", {**SIZES, "sliding_window": None}, "float32", None),
    "gpt2": ("GPT2", GPT_SIZES, "float32", None),
    "gpt2 untied": ("GPT2", {**GPT_SIZES, "tie_word_embeddings": False}, "float32", "60KB"),
}


@pytest.mark.parametrize("name", THEIRS)
def test_the_engine_has_transformers_logits(name: str, tmp_path: Path, ingot: Path) -> None:
    """Of a folder that transformers has made; the tokens that follow, too."""
    kind, config, dtype, shard = THEIRS[name]
    peers.ask("transformers_make", folder=f"{tmp_path}/hf", kind=kind, config=config, dtype=dtype, shard=shard)
    assert (shard is None) == (tmp_path / "hf/model.safetensors").exists()
    words = f"{tmp_path}/tokenizer.json"
    ids = side(ask("write_tokenizer", path=words, vocab=0 if kind == "GPT2" else 300),
               ask("folder_of", tokenizer=words, folder=f"{tmp_path}/hf"),
               ask("encode", tokenizer=words, text=TEXT), importing(tmp_path), exporting(tmp_path, to="again"))[2]
    model = f"{tmp_path}/model.safetensors"
    _, greedy = side(ask("logits", model=model, ids=ids, out=f"{tmp_path}/ours"),
                     ask("greedy", model=model, ids=ids, tokens=30))
    found = peers.ask("transformers_run", folder=f"{tmp_path}/hf", ids=ids, out=f"{tmp_path}/theirs", tokens=30,
                      texts=[TEXT])
    assert (found["greedy"], found["tokens"]) == (greedy, [ids])
    theirs = rows(tmp_path / "theirs", len(ids))
    near(rows(tmp_path / "ours", len(ids)), theirs)
    near(engines(ingot, tmp_path, TEXT, len(ids)), theirs)


# -- trained models: 200 tokens --


def stories(folder: Path, data: Callable[[str], Path], factory: pytest.TempPathFactory) -> tuple[str, str, Request]:
    """stories260K: a Llama with grouped queries; its file there, a prompt, and what makes them."""
    return "model.safetensors", "Once upon a time", ask(
        "of_llama2c", model=str(data("stories260K.bin")), tokenizer=str(data("tok512.bin")), folder=str(folder))


def tales(folder: Path, data: Callable[[str], Path], factory: pytest.TempPathFactory) -> tuple[str, str, Request]:
    """A GPT-2 after a few seconds in the C trainer, whose context is 64."""
    (folder / "weights.bin").write_bytes(trained_weights(folder, factory))
    return "weights.bin", "Once", ask("write_tokenizer", path=f"{folder}/tokenizer.json", vocab=0)


@pytest.mark.parametrize(("make", "steps"), [(stories, STEPS), (tales, 50)])
def test_trained_models_say_the_same(make: Any, steps: int, tmp_path: Path, data: Callable[[str], Path],
                                     tmp_path_factory: pytest.TempPathFactory, ingot: Path) -> None:
    """PyTorch, transformers, our engine and llama.cpp: each one's greedy tokens, and the logits along the way."""
    peers.needs("llama-cpp-python")
    file, prompt, request = make(tmp_path, data, tmp_path_factory)
    model, words = f"{tmp_path}/{file}", f"{tmp_path}/tokenizer.json"
    _, _, ids = side(request, exporting(tmp_path, file), ask("encode", tokenizer=words, text=prompt))
    made, = side(ask("greedy", model=model, ids=ids, tokens=steps))
    whole = [*ids, *made]
    text, _ = side(ask("decode", tokenizer=words, ids=whole),
                   ask("logits", model=model, ids=whole, out=f"{tmp_path}/ours"))
    found = peers.ask("transformers_run", folder=f"{tmp_path}/hf", ids=ids, out=f"{tmp_path}/x", tokens=steps, texts=[])
    assert found["greedy"] == made
    done = subprocess.run([ingot, tmp_path / "model.gguf", "-t", "0", "--tokens", str(steps), "-i", prompt],
                          check=True, capture_output=True, text=True)
    assert done.stdout.rstrip("\n") == text.rstrip("\n")
    want = rows(tmp_path / "ours", len(whole))
    peers.ask("transformers_run", folder=f"{tmp_path}/hf", ids=whole, out=f"{tmp_path}/theirs", tokens=1, texts=[])
    near(rows(tmp_path / "theirs", len(whole)), want)
    fed = peers.ask("llama_logits", model=f"{tmp_path}/model.gguf", text=text, steps=len(whole), out=f"{tmp_path}/cpp")
    assert fed == whole  # greedy tokens of a trained model are those that its text is cut into
    near(engines(ingot, tmp_path, text, len(whole)), want)
    cpp = rows(tmp_path / "cpp", len(whole))
    if make is stories:
        near(cpp, want)
    best = np.sort(cpp, axis=1)
    leads = best[:, -1] - best[:, -2] > 0.01 * cpp.std(axis=1)  # llama.cpp has GELU in a table of F16
    assert leads.mean() > 0.7 and (cpp.argmax(axis=1) == want.argmax(axis=1))[leads].all()


def test_a_tokenizer_of_50257(tmp_path: Path, data: Callable[[str], Path]) -> None:
    """GPT-2's, in transformers' hands, on whole texts."""
    words = f"{tmp_path}/tokenizer.json"
    (tmp_path / "hf").mkdir()
    texts = [data(name).read_text()[:20_000] for name in ("tinystories-sample.txt", "tinyshakespeare.txt")]
    _, _, *ids = side(ask("gpt2_tokenizer", vocab_bpe=str(data("gpt2/vocab.bpe")),
                          encoder_json=str(data("gpt2/encoder.json")), path=words),
                      ask("folder_of", tokenizer=words, folder=f"{tmp_path}/hf"),
                      *(ask("encode", tokenizer=words, text=text) for text in texts))
    (tmp_path / "hf/config.json").write_text('{"model_type": "gpt2"}')
    assert peers.ask("transformers_tokens", folder=f"{tmp_path}/hf", texts=texts) == ids
