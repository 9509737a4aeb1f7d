"""What llama.cpp, sentencepiece, tiktoken and transformers say: one JSON request on stdin, the JSON answer on stdout.

Runs in the interpreter that tests/peers.py finds, and needs nothing else of this project.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from typing import Any


def sentencepiece_tokens(model: str, texts: list[str]) -> list[list[int]]:
    """By a .model file."""
    import sentencepiece  # type: ignore[import-not-found]

    processor = sentencepiece.SentencePieceProcessor(model)
    return [processor.encode(text) for text in texts]


def sentencepiece_bpe(pieces: list[tuple[str, float, int]], texts: list[str]) -> list[list[int]]:
    """By these pieces (text, score, type) alone: merged by score, with a fall-back to bytes."""
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2 as proto  # type: ignore[import-not-found]

    model = proto.ModelProto()
    for piece, score, kind in pieces:
        model.pieces.add(piece=piece, score=score, type=kind)
    model.trainer_spec.model_type = proto.TrainerSpec.BPE
    model.trainer_spec.byte_fallback = True
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.remove_extra_whitespaces = False
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())
    return [processor.encode(text) for text in texts]


def tiktoken_tokens(ranks: dict[str, int], pattern: str, texts: list[str]) -> list[list[int]]:
    """By ranks of tokens, whose bytes are written in hexadecimal."""
    import tiktoken  # type: ignore[import-not-found]

    ids = {bytes.fromhex(token): rank for token, rank in ranks.items()}
    encoding = tiktoken.Encoding("peer", pat_str=pattern, mergeable_ranks=ids, special_tokens={})
    return [encoding.encode_ordinary(text) for text in texts]


def llama_tokens(model: str, texts: list[str]) -> list[list[int]]:
    """By a GGUF file; without bos, and no special tokens from text."""
    import llama_cpp  # type: ignore[import-not-found]

    llama = llama_cpp.Llama(model, vocab_only=True, verbose=False)
    return [llama.tokenize(text.encode(), add_bos=False, special=False) for text in texts]


def _exact(model: str, context: int, **more: Any) -> Any:
    """A model with F32 keys and values and no flash attention, on one thread."""
    import llama_cpp

    f32 = llama_cpp.GGML_TYPE_F32
    return llama_cpp.Llama(model, n_ctx=context, n_threads=1, n_threads_batch=1, type_k=f32, type_v=f32,
                           flash_attn=False, verbose=False, **more)


def llama_text(model: str, context: int, prompt: str, tokens: int) -> str:
    """The prompt and what greedy decoding continues it with, as hexadecimal; a token is a byte."""
    llama = _exact(model, context)
    ids = llama.tokenize(prompt.encode(), add_bos=False)
    if ids != list(prompt.encode()):
        raise SystemExit("a token is a byte")
    made: list[int] = []
    for token in llama.generate(ids, temp=0.0, repeat_penalty=1.0):
        made.append(token)
        if len(made) == tokens:
            break
    return (prompt.encode() + b"".join(llama.detokenize([token]) for token in made)).hex()


def llama_logits(model: str, text: str, steps: int, out: str) -> list[int]:
    """Feeds the first tokens of a text, one by one; their ids, and in the file `out` their logits, raw fp32."""
    llama = _exact(model, steps, logits_all=True)
    ids: list[int] = llama.tokenize(text.encode(), add_bos=llama._model.add_bos_token())[:steps]
    for token in ids:
        llama.eval([token])
    llama.scores[: len(ids)].tofile(out)
    return ids


def llama_speed(model: str, prompt: str, tokens: int, threads: int, context: int, prefill: int) -> dict[str, float]:
    """Seconds to make `tokens` after a prompt, each the most probable one, and for `prefill` tokens at once, both once
    warm: of llama_decode alone; what is chosen and how is not counted. With llama-cpp-python's settings."""
    import llama_cpp

    llama = llama_cpp.Llama(model, n_ctx=context, n_threads=threads, n_threads_batch=threads, verbose=False)
    decode, seconds = llama._ctx.decode, [0.0]

    def timed(batch: Any) -> None:
        begun = time.perf_counter()
        decode(batch)
        seconds[0] += time.perf_counter() - begun

    def eval_timed(ids: list[int]) -> float:
        seconds[0] = 0.0
        llama.eval(ids)
        return seconds[0]

    llama._ctx.decode = timed
    ids = llama.tokenize(prompt.encode(), add_bos=llama._model.add_bos_token())
    llama.eval(ids)
    total = 0.0
    for _ in range(tokens):
        logits = llama_cpp.llama_get_logits(llama._ctx.ctx)
        best = int(llama_cpp.llama.np.ctypeslib.as_array(logits, (llama.n_vocab(),)).argmax())
        total += eval_timed([best])
    llama.reset()
    return {"decode_s": total, "prefill_s": eval_timed([token % llama.n_vocab() for token in range(prefill)])}


def transformers_run(folder: str, ids: list[int], out: str, tokens: int, texts: list[str]) -> dict[str, Any]:
    """The class of a folder's model; what follows these ids, one token at a time, wherever it would stop; the texts'
    ids, with what its tokenizer puts first. In the file `out` the logits after each id, raw fp32."""
    import torch  # type: ignore[import-not-found, unused-ignore]
    import transformers  # type: ignore[import-not-found]

    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.inference_mode():
        model(torch.tensor([ids])).logits[0].numpy().astype("<f4").tofile(out)
    made = model.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                          do_sample=False, max_new_tokens=tokens, min_new_tokens=tokens, eos_token_id=None,
                          pad_token_id=0)
    return {"class": type(model).__name__, "greedy": [int(token) for token in made[0, len(ids):]],
            "tokens": transformers_tokens(folder, texts)}


def transformers_tokens(folder: str, texts: list[str]) -> list[list[int]]:
    """By the folder's tokenizer, with what it puts first."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    return [tokenizer(text)["input_ids"] for text in texts]


def transformers_make(folder: str, kind: str, config: dict[str, Any], dtype: str, shard: str | None) -> int:
    """A random model, saved by transformers itself; its parameters."""
    import torch
    import transformers

    torch.manual_seed(2)
    about = getattr(transformers, f"{kind}Config")(**config)
    name = {"Llama": "LlamaForCausalLM", "Mistral": "MistralForCausalLM", "GPT2": "GPT2LMHeadModel"}[kind]
    model = getattr(transformers, name)(about).to(getattr(torch, dtype))
    with torch.no_grad():
        for part in model.parameters():
            part.add_(torch.randn_like(part) * 0.1)
    model.save_pretrained(folder, **({} if shard is None else {"max_shard_size": shard}))
    return sum(part.numel() for part in model.parameters())


def main() -> None:
    """{"what": a function of these or "version", and what it takes}."""
    request = json.load(sys.stdin)
    what = request.pop("what")
    known = {function.__name__: function for function in (
        sentencepiece_tokens, sentencepiece_bpe, tiktoken_tokens, llama_tokens, llama_text, llama_logits, llama_speed,
        transformers_run, transformers_tokens, transformers_make)}
    print(json.dumps(version(request["package"]) if what == "version" else known[what](**request)))


if __name__ == "__main__":
    main()
