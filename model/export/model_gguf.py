"""Any model of model/architectures, with its tokenizer, as GGUF."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from model.export import packing
from model.export.container import ALIGNMENT, ARRAY, BOOL, F32, I32, STRING, U32, Entry, array, container, f32, key, u32
from model.export.container import string as text
from model.export.gguf import LAYER_NORM_EPSILON, byte_alphabet
from model.export.packing import Array
from model.export.tensors import tensors
from model.program import InputError
from model.shapes import GptShape, LlamaShape, Shape
from model.tokenizers.table import UNKNOWN, Table


def model_gguf(shape: Shape, weights: Mapping[str, Array], table: Table, name: str, kind: str,
               chat_template: str | None = None) -> Iterator[bytes]:
    """The file in pieces. `kind`: the type of matrices, but where packing.kind_for says otherwise."""
    check_vocab(shape, table)
    entries = []
    for tensor, values in tensors(shape, weights):
        chosen = matrix_kind(tensor, values, kind)
        entries.append(Entry(tensor, values.shape, packing.KINDS[chosen], packing.pack(values, chosen)))
    chat = [] if chat_template is None else [key("tokenizer.chat_template", STRING, text(chat_template))]
    return container([*_model_keys(shape, name, kind), *_tokenizer_keys(table), *chat], entries)


def matrix_kind(tensor: str, values: Array, kind: str) -> str:
    """The type that this tensor gets: vectors, and the positions that are added to activations, stay F32."""
    if values.ndim == 1 or tensor == "position_embd.weight":
        return "F32"
    return packing.kind_for(kind, values.shape[1])


def check_vocab(shape: Shape, table: Table) -> None:
    """InputError where they do not belong to each other."""
    if shape.vocab != table.vocab:
        raise InputError(f"the model has {shape.vocab:,} tokens, the tokenizer {table.vocab:,}",
                         "give the tokenizer that the model was trained with")


def _model_keys(shape: Shape, name: str, kind: str) -> Iterator[bytes]:
    arch = shape.architecture
    yield key("general.architecture", STRING, text(arch))
    yield key("general.name", STRING, text(name))
    yield key("general.alignment", U32, u32(ALIGNMENT))
    yield key("general.file_type", U32, u32({"Q8_0": 7}.get(kind, packing.KINDS[kind])))
    hidden = shape.hidden
    sizes = {"context_length": shape.context, "embedding_length": shape.width, "feed_forward_length": hidden,
             "block_count": shape.layers, "attention.head_count": shape.heads}
    for size, value in sizes.items():
        yield key(f"{arch}.{size}", U32, u32(value))
    if isinstance(shape, GptShape):
        yield key(f"{arch}.attention.layer_norm_epsilon", F32, f32(LAYER_NORM_EPSILON))
    if isinstance(shape, LlamaShape):
        yield key(f"{arch}.attention.head_count_kv", U32, u32(shape.kv_heads))
        yield key(f"{arch}.attention.layer_norm_rms_epsilon", F32, f32(shape.eps))
        yield key(f"{arch}.rope.freq_base", F32, f32(shape.rope_theta))
        yield key(f"{arch}.rope.dimension_count", U32, u32(shape.head_width))
        yield key(f"{arch}.vocab_size", U32, u32(shape.vocab))


def _tokenizer_keys(table: Table) -> Iterator[bytes]:
    spm = table.kind == "llama"
    yield key("tokenizer.ggml.model", STRING, text("llama" if spm else "gpt2"))
    yield key("tokenizer.ggml.pre", STRING, text("default" if spm else table.pre))
    yield key("tokenizer.ggml.tokens", ARRAY, array(STRING, [text(piece) for piece in _pieces(table)]))
    if spm:
        yield key("tokenizer.ggml.scores", ARRAY, array(F32, [f32(score) for score in table.scores]))
    yield key("tokenizer.ggml.token_type", ARRAY, array(I32, [u32(kind) for kind in table.types]))
    if not spm:
        names = _pieces(table)
        merges = [text(f"{names[left]} {names[right]}") for left, right in table.merges]
        yield key("tokenizer.ggml.merges", ARRAY, array(STRING, merges))
    for name, value in (("bos", table.bos), ("eos", table.eos)):
        if value is not None:
            yield key(f"tokenizer.ggml.{name}_token_id", U32, u32(value))
    if spm and UNKNOWN in table.types:
        yield key("tokenizer.ggml.unknown_token_id", U32, u32(table.types.index(UNKNOWN)))
    yield key("tokenizer.ggml.add_bos_token", BOOL, b"\1" if table.begins else b"\0")


def _pieces(table: Table) -> list[str]:
    """As the file has them. The engine makes tokens of bytes, or by merges, and of nothing else."""
    if table.kind == "llama":
        return [piece.decode() for piece in table.pieces]
    if table.kind == "words" or (table.kind == "chars" and any(len(piece) > 1 for piece in table.pieces)):
        raise InputError(f"a tokenizer of {table.kind} has no form in GGUF", "bytes, gpt2, llama and bpe have one; so "
                         "have chars where all of them are ASCII")
    alphabet = byte_alphabet()
    return ["".join(alphabet[byte] for byte in piece) if kind == 1 else piece.decode()
            for piece, kind in zip(table.pieces, table.types, strict=True)]
