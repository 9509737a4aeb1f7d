"""Folders of Hugging Face's: what is written is read back bit for bit, and what cannot be read is refused in words."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentencepiece
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from model import checkpoint
from model.architectures import make
from model.checkpoint import Checkpoint
from model.export import checkpoint as exporting
from model.export import header
from model.huggingface import places
from model.importing import __main__ as importing
from model.program import InputError
from model.shapes import GptShape, LlamaShape, Shape
from model.tokenizers import bpe, load, simple, table
from model.tokenizers import make as tokenizer_of
from model.tokenizers.gpt2 import PRETOKENIZERS, from_files
from model.tokenizers.table import CONTROL, NORMAL, USER, Table

GPT = GptShape(vocab=256, context=32, layers=2, heads=2, width=16, dropout=0.1)
LLAMA = LlamaShape(vocab=300, context=32, layers=2, heads=4, kv_heads=2, width=32, hidden=48, rope_theta=5e4,
                   eps=1e-6)
SHAPES = [GPT, replace(GPT, qkv_bias=False, tied=False), LLAMA, replace(LLAMA, tied=False, kv_heads=4)]
WORDS = ["once upon a time there was a little cat", "the cat sat on the mat", "a  b\n\tc 12 345",
         "\u00e9t\u00e9 \u2764"]
DATA = Path("data")


@pytest.fixture(scope="module")
def llama_table() -> Table:
    return bpe.train(WORDS * 20, 300)


def made(folder: Path, shape: Shape, about: Table, dtype: torch.dtype = torch.float32) -> Checkpoint:
    """A random model with its tokenizer, as a checkpoint."""
    torch.manual_seed(1)
    model = make(shape).to(dtype)
    with torch.no_grad():
        for part in model.parameters():
            part.add_(torch.randn_like(part) * 0.1)
    checkpoint.write(folder / "model.safetensors", model, about.kind, {"chat_template": "{{ messages }}"})
    table.write(folder / "tokenizer.json", about)
    return checkpoint.read(folder / "model.safetensors")


def exported(folder: Path, *more: str) -> Path:
    argv = [f"{folder}/model.safetensors", f"--tokenizer={folder}/tokenizer.json", "--name=small",
            f"--huggingface={folder}/hf", *more]
    assert exporting.main(argv) == 0
    return folder / "hf"


def imported(folder: Path, out: Path) -> Checkpoint:
    out.mkdir(exist_ok=True)
    assert importing.main([str(folder), f"--out={out}/model.safetensors", f"--tokenizer={out}/tokenizer.json"]) == 0
    return checkpoint.read(out / "model.safetensors")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("shape", SHAPES)
def test_round_trip_is_bit_for_bit(shape: Shape, dtype: torch.dtype, tmp_path: Path, llama_table: Table) -> None:
    before = made(tmp_path, shape, llama_table if isinstance(shape, LlamaShape) else simple.bytes_table(), dtype)
    folder = exported(tmp_path)
    after = imported(folder, tmp_path / "back")
    assert (after.shape, after.meta) == (shape, before.meta) and after.weights.keys() == before.weights.keys()
    for name, value in before.weights.items():
        assert value.dtype == after.weights[name].dtype == dtype and torch.equal(value, after.weights[name]), name
    about = load(tmp_path / "tokenizer.json"), load(tmp_path / "back/tokenizer.json")
    for words in WORDS:
        assert about[0].encode(words) == about[1].encode(words)
    assert (about[0].table.bos, about[0].table.eos, about[0].table.begins) == (
        about[1].table.bos, about[1].table.eos, about[1].table.begins)
    assert json.loads((folder / "config.json").read_bytes())["dtype"] == str(dtype).removeprefix("torch.")
    again = exported(tmp_path / "back")
    assert (again / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()


def test_what_is_in_the_folder(tmp_path: Path, llama_table: Table) -> None:
    """Names and shapes, GPT-2's turned matrices and zero biases, Llama's halves."""
    gpt, llama = tmp_path / "gpt", tmp_path / "llama"
    for folder in (gpt, llama):
        folder.mkdir()
    ours = made(gpt, SHAPES[1], simple.bytes_table())
    theirs = load_file(exported(gpt) / "model.safetensors")
    assert torch.equal(theirs["transformer.h.1.attn.c_attn.weight"], ours.weights["layers.1.qkv.weight"].T)
    assert theirs["transformer.h.0.attn.c_attn.bias"].eq(0).all() and theirs["lm_head.weight"].shape == (256, 16)
    assert len(theirs) == 2 + 2 * 12 + 2 + 1
    ours = made(llama, LLAMA, llama_table)
    theirs = load_file(exported(llama) / "model.safetensors")
    assert len(theirs) == 1 + 2 * 9 + 1 and "lm_head.weight" not in theirs
    rows, turned = ours.weights["layers.0.k.weight"], theirs["model.layers.0.self_attn.k_proj.weight"]
    assert torch.equal(turned[:8], rows[[0, 2, 4, 6, 1, 3, 5, 7]])
    assert torch.equal(turned[8:], rows[8:][[0, 2, 4, 6, 1, 3, 5, 7]])
    assert torch.equal(theirs["model.layers.0.self_attn.v_proj.weight"], ours.weights["layers.0.v.weight"])
    assert {file.name for file in (llama / "hf").iterdir()} == {
        "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}


def halves(x: torch.Tensor, theta: float) -> torch.Tensor:
    """x (heads, time, head): value i is turned with value i + head/2."""
    head = x.shape[-1]
    angle = torch.outer(torch.arange(x.shape[1]).double(), theta ** (-torch.arange(0, head, 2).double() / head))
    a, b = x.double().split(head // 2, dim=-1)
    return torch.cat([a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()], dim=-1)


def test_heads_in_halves_give_the_same_attention() -> None:
    from model.architectures.llama import rotate, rotation

    x = torch.randn(7, 32)
    q, k = (next(place for place in places(LLAMA) if place.ours == f"layers.0.{name}.weight") for name in "qk")
    wq, wk = torch.randn(32, 32), torch.randn(16, 32)
    cosine, sine = rotation(0, 7, 8, LLAMA.rope_theta)
    ours = [rotate((x @ w.T).double().view(7, -1, 8).transpose(0, 1), cosine, sine) for w in (wq, wk)]
    theirs = [halves((x @ place.to_theirs(w).T).view(7, -1, 8).transpose(0, 1), LLAMA.rope_theta)
              for place, w in ((q, wq), (k, wk))]
    for scores in zip(*((q[::2] @ k.transpose(1, 2)) for q, k in (ours, theirs)), strict=True):
        assert torch.allclose(*scores, atol=1e-5)


# -- tokenizers --

PROBES = [*WORDS, "", " ", "  two  spaces ", "I'll WE'VE 3.14 1234567", "x\r\n\r\n  y", "\u6771\u4eac\U0001f600",
          "a" * 50, "<s> </s>x", "tab\t\ttab  9 9"]


def test_transformers_tokenizer_says_the_same(tmp_path: Path, llama_table: Table) -> None:
    """Of the library that transformers uses."""
    from model.export.huggingface_tokenizer import files

    about = [llama_table, simple.bytes_table()]
    if (DATA / "gpt2").exists():
        about += [replace(small_gpt2(), pre=pre) for pre in PRETOKENIZERS]
    for one in about:
        ours, theirs = tokenizer_of(one), Tokenizer.from_str(json.dumps(files(one, 32)["tokenizer.json"]))
        for text in PROBES:
            if one.kind == "llama" and "<s>" in text:
                continue  # theirs takes it for the token
            ids = theirs.encode(text).ids
            assert ids == [*([one.bos] if one.begins else []), *ours.encode(text)], (one.kind, one.pre, text)
            assert theirs.decode(ids) == text.replace("\u2581", " ")
    assert files(simple.chars_table("abc"), 32) == {}


def test_byte_level_tokenizers_come_back(tmp_path: Path) -> None:
    """With added tokens, holes, and rows that no token has."""
    from model.export.huggingface_tokenizer import files
    from model.importing import tokenizer

    gpt2 = small_gpt2()
    more = replace(gpt2, pieces=(*gpt2.pieces, b"<|im_start|>", b"<note>"), types=(*gpt2.types, CONTROL, USER))
    for one in (gpt2, *(replace(more, pre=pre, adds_bos=pre == "llama-bpe") for pre in PRETOKENIZERS)):
        for name, content in files(one, 32).items():
            (tmp_path / name).write_text(json.dumps(content))
        back = tokenizer.read(tmp_path, 1600, {})
        assert (back.pieces[:one.vocab], back.types[:one.vocab], back.merges, back.pre, back.begins, back.bos, back.eos
                ) == (one.pieces, one.types, one.merges, one.pre, one.begins, one.bos, one.eos)
        assert back.vocab == 1600 and len(set(back.pieces)) == 1600
        assert tokenizer_of(back).encode("a <note> b") == tokenizer_of(one).encode("a <note> b")
        table.write(tmp_path / "t.json", back)
        assert table.read(tmp_path / "t.json") == back
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "vocab.json").write_bytes(need("gpt2/encoder.json").read_bytes())
    (tmp_path / "merges.txt").write_bytes(need("gpt2/vocab.bpe").read_bytes())
    assert tokenizer.read(tmp_path, 50257, {}).merges[:1000] == gpt2.merges


def small_gpt2() -> Table:
    """GPT-2's first thousand merges."""
    gpt2 = from_files(*(need(f"gpt2/{name}") for name in ("vocab.bpe", "encoder.json")))
    return Table("gpt2", (*gpt2.pieces[:1256], gpt2.pieces[-1]), (*(NORMAL,) * 1256, CONTROL), (), gpt2.merges[:1000],
                 1256, 1256)


def need(name: str) -> Path:
    if not (DATA / name).exists():
        pytest.skip(f"needs ../shared/data/{name}")
    return DATA / name


def trained(folder: Path, **more: Any) -> Path:
    """A tokenizer.model by SentencePiece."""
    (folder / "text").write_text("\n".join(WORDS * 20))
    about = {"model_type": "bpe", "vocab_size": 300, "byte_fallback": True, "normalization_rule_name": "identity",
             "remove_extra_whitespaces": False, "minloglevel": 2, **more}
    names = {"input": str(folder / "text"), "model_prefix": str(folder / "tokenizer")}
    sentencepiece.SentencePieceTrainer.train(**names, **about)
    return folder / "tokenizer.model"


def test_a_sentencepiece_model_is_taken(tmp_path: Path, llama_table: Table) -> None:
    from model.importing import tokenizer

    path = trained(tmp_path, user_defined_symbols=["<own>"])
    (tmp_path / "added_tokens.json").write_text('{"<|im_start|>": 300}')
    about = {"add_bos_token": False, "eos_token": {"content": "<|im_start|>"}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(about))
    found = tokenizer.read(tmp_path, 310, {"bos_token_id": 1})
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(path))
    assert (found.vocab, found.bos, found.eos, found.begins) == (310, 1, 300, False)
    assert found.types[found.pieces.index(b"<own>")] == USER and found.types[300] == CONTROL
    for text in PROBES[:-2]:
        assert tokenizer_of(found).encode(text) == theirs.encode(text)


# -- what is refused --

Change = Callable[[Path], None]


def config(**more: Any) -> Change:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **more}))

    return change


def tokens(**more: Any) -> Change:
    def change(folder: Path) -> None:
        path = folder / "tokenizer.json"
        found = json.loads(path.read_text())
        found["model"] |= more.pop("model", {})
        path.write_text(json.dumps({**found, **more}))

    return change


def tensors(work: Callable[[dict[str, torch.Tensor]], Any]) -> Change:
    def change(folder: Path) -> None:
        found = load_file(folder / "model.safetensors")
        work(found)
        save_file(found, folder / "model.safetensors", {"format": "pt"})

    return change


def write(name: str, content: str) -> Change:
    return lambda folder: (folder / name).write_text(content) and None


def raw(begin: dict[str, Any]) -> Change:
    text = json.dumps(begin).encode()
    return lambda folder: (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text) and None


def index(content: Any) -> Change:
    def change(folder: Path) -> None:
        (folder / "model.safetensors").rename(folder / "a.safetensors")
        (folder / "model.safetensors.index.json").write_text(json.dumps(content))

    return change


def both(*changes: Change) -> Change:
    return lambda folder: [change(folder) for change in changes] and None


NORM, Q = "model.norm.weight", "model.layers.0.self_attn.q_proj.weight"
BAD: dict[str, tuple[Change, str, str]] = {
    "no config": (lambda folder: (folder / "config.json").unlink(), "has no config.json", "Hugging Face"),
    "no json": (write("config.json", "{"), "config.json is not JSON", "anew"),
    "deep": (write("config.json", "[" * 100_000), "config.json is not JSON", "anew"),
    "a list": (write("config.json", "[]"), "no JSON object", "anew"),
    "nan": (write("config.json", '{"rms_norm_eps": NaN}'), "is not JSON", "anew"),
    "unknown": (config(architectures=["BertModel"]), "architecture BertModel", "LlamaForCausalLM"),
    "experts": (config(architectures=["MixtralForCausalLM"], model_type="mixtral"), "MixtralForCausalLM", "imported"),
    "other type": (config(model_type="qwen2"), "model_type is 'qwen2'", "anew"),
    "odd": (config(architectures=7), "architecture 7", "imported"),
    "rope 4": (config(rope_scaling={"type": "linear", "factor": 2.0}), "rope_scaling is linear", "without"),
    "rope 5": (config(rope_parameters={"rope_type": "llama3"}), "rope_parameters is llama3", "without"),
    "rope": (config(rope_parameters=[1]), "rope_parameters", "without"),
    "theta": (config(rope_parameters=None, rope_theta=-1.0), "rope_theta is -1.0", "without"),
    "part": (config(partial_rotary_factor=0.5), "partial_rotary_factor is 0.5", "without"),
    "bias": (config(attention_bias=True), "attention_bias is true", "without"),
    "mlp bias": (config(mlp_bias=True), "mlp_bias is true", "without"),
    "window": (config(architectures=["MistralForCausalLM"], model_type="mistral", sliding_window=4096),
               "sliding_window is 4096", "without"),
    "act": (config(hidden_act="gelu"), "hidden_act is gelu", "without"),
    "head": (config(head_dim=16), "head_dim is 16", "without"),
    "quantised": (config(quantization_config={"bits": 4}), "quantised", "F16"),
    "eps": (config(rms_norm_eps="1e-5"), "rms_norm_eps is '1e-5'", "a number"),
    "lacks": (config(hidden_size=None), "hidden_size is missing", "whole number"),
    "fraction": (config(num_hidden_layers=2.5), "num_hidden_layers is '2.5'", "whole number"),
    "zero": (config(num_attention_heads=0), "head_dim", "without"),
    "huge": (config(num_hidden_layers=1 << 20), "20 tensors, config.json 1,048,576 layers", "belong"),
    "negative": (config(vocab_size=-1), "vocab cannot be -1", "from 1"),
    "groups": (config(num_key_value_heads=3), "cannot share 3", "divide"),
    "width": (config(intermediate_size=49), "is (32, 48) where config.json asks for (32, 49)", "anew"),
    "more layers": (config(num_hidden_layers=3), "lacks the tensor model.layers.2.", "whole"),
    "fewer layers": (config(num_hidden_layers=1), "has the tensor model.layers.1.", "another architecture"),
    "untied": (config(tie_word_embeddings=False), "lacks the tensor lm_head.weight", "tie_word_embeddings"),
    "no tensor": (tensors(lambda found: found.pop(NORM)), f"lacks the tensor {NORM}", "whole"),
    "another": (tensors(lambda found: found.update({"model.layers.0.self_attn.q_proj.bias": torch.ones(32)})),
                "q_proj.bias, of which config.json says nothing", "architecture"),
    "shape": (tensors(lambda found: found.update({NORM: torch.ones(31)})), f"{NORM} is (31,) where", "anew"),
    "type": (tensors(lambda found: found.update({NORM: torch.ones(32, dtype=torch.int8)})), "of the type I8", "BF16"),
    "infinite": (tensors(lambda found: found[Q].view(-1)[5].fill_(float("inf"))), f"{Q} has a value", "anew"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "neither model.safetensors nor", "anew"),
    "pickle": (both(lambda folder: (folder / "model.safetensors").unlink(), write("pytorch_model.bin", "x")), "as .bin",
               "safetensors"),
    "cut": (lambda folder: (folder / "model.safetensors").write_bytes(
        (folder / "model.safetensors").read_bytes()[:-1]) and None, "is no safetensors file", "anew"),
    "empty": (write("model.safetensors", ""), "is no safetensors file", "anew"),
    "outside": (raw({NORM: {"dtype": "F32", "shape": [32], "data_offsets": [1000, 1128]}}), "no safetensors", "anew"),
    "long header": (lambda folder: (folder / "model.safetensors").write_bytes(b"\xff" * 64) and None, "no safetensors",
                    "anew"),
    "no map": (index({}), "has no weight_map", "anew"),
    "a map of numbers": (index({"weight_map": {"a": 1}}), "has no weight_map", "anew"),
    "a path": (index({"weight_map": {NORM: "../a.safetensors"}}), "names the file '../a.safetensors'", "beside"),
    "no such file": (index({"weight_map": dict.fromkeys((place.theirs for place in places(LLAMA)), "b.safetensors")}),
                     "there is no", "index"),
    "not in the file": (both(index({"weight_map": dict.fromkeys((place.theirs for place in places(LLAMA)),
                                                                "a.safetensors")}),
                             lambda folder: save_file({"x": torch.ones(1)}, folder / "a.safetensors")),
                        "which its index says", "anew"),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "has no tokenizer", "tokenizer.model"),
    "larger": (both(config(vocab_size=299), tensors(lambda found: found.update(
        {"model.embed_tokens.weight": torch.ones(299, 32)}))), "299 tokens, its tokenizer 300", "belong"),
    "bos": (both(write("tokenizer_config.json", "{}"), config(bos_token_id=300)), "bos_token_id is 300", "anew"),
    "no bpe": (tokens(model={"type": "Unigram"}), "it is no BPE", "byte-level"),
    "no vocab": (tokens(model={"vocab": {}}), "no vocab", "byte-level"),
    "ids": (tokens(model={"vocab": {"a": 1, "b": 1}}), "two tokens have one id", "byte-level"),
    "far": (tokens(model={"vocab": {"a": 1 << 40}}), "two tokens have one id, or one has none", "byte-level"),
    "merge": (tokens(model={"merges": ["a b c"]}), "the merge 'a b c' is not two tokens", "byte-level"),
    "merge of none": (tokens(model={"merges": [["x", "zzz"]]}), "none of its tokens", "byte-level"),
    "spaces": (tokens(normalizer={"type": "NFC"}), "treats spaces in a way of its own", "byte-level"),
    "rule": (tokens(normalizer=None, pre_tokenizer={"type": "Whitespace"}, model={"byte_fallback": False}),
             "a rule that is none of ours", "byte-level"),
    "added": (tokens(added_tokens=[{"id": -1, "content": "x"}]), "no id and content", "byte-level"),
    "far added": (tokens(added_tokens=[{"id": 1 << 19, "content": "x"}]), "its tokenizer 524,289", "belong"),
    "surrogate": (tokens(model={"vocab": {"\ud800": 0}}), "no text", "byte-level"),
    "sentencepiece": (write("tokenizer.model", "not one"), "no SentencePiece model", "anew"),
}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory, llama_table: Table) -> Path:
    folder = tmp_path_factory.mktemp("good")
    made(folder, LLAMA, llama_table)
    return exported(folder)


@pytest.mark.parametrize("name", BAD)
def test_refused(name: str, good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change, what, hint = BAD[name]
    folder = tmp_path / "hf"
    folder.mkdir()
    for file in good.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    change(folder)
    outs = [f"--out={tmp_path}/out.safetensors", f"--tokenizer={tmp_path}/t.json"]
    assert importing.main([str(folder), *outs]) == 1
    error, advice = capsys.readouterr().err.splitlines()
    assert error.startswith("error: ") and what in error and advice.startswith("hint: ") and hint in advice, error
    assert [file.name for file in tmp_path.iterdir()] == ["hf"]


@pytest.mark.parametrize("more, what", [
    ({"n_inner": 60}, "n_inner is 60"), ({"activation_function": "relu"}, "activation_function is relu"),
    ({"layer_norm_epsilon": 1e-6}, "layer_norm_epsilon"), ({"scale_attn_weights": False}, "scale_attn_weights"),
    ({"add_cross_attention": True}, "add_cross_attention"), ({"qkv_bias": False}, "layer 0 has such biases"),
    ({"resid_pdrop": 2.0}, "resid_pdrop is 2.0")])
def test_gpts_refused(more: dict[str, Any], what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(tmp_path, GPT, simple.bytes_table())
    folder = exported(tmp_path)
    config(**more)(folder)
    assert importing.main([str(folder), f"--out={tmp_path}/o", f"--tokenizer={tmp_path}/t"]) == 1
    assert what in capsys.readouterr().err and not (tmp_path / "o").exists()


def test_sentencepiece_of_other_kinds_is_refused(tmp_path: Path) -> None:
    from model.importing import sentencepiece as reading

    for more in ({"model_type": "unigram", "vocab_size": 290}, {"add_dummy_prefix": False},
                 {"remove_extra_whitespaces": True}, {"normalization_rule_name": "nmt_nfkc"}):
        with pytest.raises(InputError, match="is not a BPE|changes texts"):
            reading.read(trained(tmp_path, **more))


def test_first_names_of_gpt2_and_what_nobody_uses(tmp_path: Path) -> None:
    before = made(tmp_path, GPT, simple.bytes_table())
    folder = exported(tmp_path)
    found = {name.removeprefix("transformer."): value
             for name, value in load_file(folder / "model.safetensors").items()}
    found |= {"h.0.attn.bias": torch.ones(1, 1, 32, 32), "h.1.attn.masked_bias": torch.tensor(-1e4)}
    save_file(found, folder / "model.safetensors", {"format": "pt"})
    after = imported(folder, tmp_path / "back")
    assert all(torch.equal(value, after.weights[name]) for name, value in before.weights.items())


# -- the C header --


def test_header_holds_the_weights(tmp_path: Path, llama_table: Table) -> None:
    for shape in SHAPES:
        found = made(tmp_path, shape, llama_table if isinstance(shape, LlamaShape) else simple.bytes_table())
        exported(tmp_path, f"--header={tmp_path}/model.h")
        text = (tmp_path / "model.h").read_text()
        arrays = {part.split("[")[0]: part for part in text.split("static const float ")[1:]}
        assert len(arrays) == len(found.weights) - shape.tied
        rows = arrays["model_1_up_w"].split("{")[1].split("}")[0].replace("f", "").split(",")[:-1]
        assert np.array_equal(np.array(rows, np.float32), found.weights["layers.1.up.weight"].numpy().ravel())
        assert ("model_head" in arrays) == (not shape.tied) and f"#define MODEL_PARAMETERS {shape.parameters}\n" in text
        assert f"#define MODEL_HIDDEN {shape.hidden}\n" in text and "DROPOUT" not in text


def test_no_header_of_a_large_model() -> None:
    from model.shapes import PRESETS

    with pytest.raises(InputError, match="163,009,536 parameters") as caught:
        header.of_model(PRESETS["124m"], {}, "large")
    assert "GGUF" in caught.value.hint


def test_gguf_of_another_tokenizer(tmp_path: Path) -> None:
    """Its rule for words, its bos and the chat template reach the file."""
    from gguf import GGUFReader

    names = [f"<|{i}|>" for i in range(2)]
    pieces = (*(bytes([i]) for i in range(256)), b"ab", *(name.encode() for name in names))
    about = Table("gpt2", pieces, (*(NORMAL,) * 257, CONTROL, CONTROL), (), ((97, 98),), 257, 258, "llama-bpe", True)
    made(tmp_path, replace(LLAMA, vocab=259), about)
    exported(tmp_path, f"--gguf={tmp_path}/model.gguf")
    fields = GGUFReader(tmp_path / "model.gguf").fields
    assert fields["tokenizer.ggml.pre"].contents() == "llama-bpe"
    assert fields["tokenizer.ggml.add_bos_token"].contents() is True
    assert fields["tokenizer.chat_template"].contents() == "{{ messages }}"
