"""Token ids by sentencepiece, tiktoken and llama.cpp, to compare the engine's with: tests/engine/tokens.json.

    INGOT_PEERS=PYTHON .venv/bin/python -m tests.engine.golden_tokens     (needs ../shared/data too)
"""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests import peers
from tests.engine import tokenizers
from tests.engine.models import alphabet
from tests.engine.tokenizers import DATA, GOLDEN

Encode = Callable[[list[str]], list[list[int]]]

WRITTEN = [
    "", "a", " ", "  ", "Hello world", " Hello  world ", "trailing space ", "\n",
    "\n\n\nabc", "aaaaaaaaaaaaaaaaaaaaaaaaa",
    "I can't, you'll; we'VE they'd 'tis O'Neil's 'S 'Re'LL  x'd", "...!!!???---===", "▁x ▁▁ y",
    "Once upon a time, there was a little girl named Lily.",
    "Ünïcödé façade naïve — “quotes” … ½ ² Ⅷ ٣ 123 4567 12.34e-5 999999 12 1",
    "日本語のテキストと中文，以及한국어 텍스트", "Привет, мир! Γειά σου שלום עולם مرحبا نमस्ते दुनिया ไทย",
    "😀👩‍👩‍👧‍👦🏳️‍🌈 🇩🇪 é",
    "e\u0301 combining \u0903 marks", "\u200b\u200d\ufeff zero width", "\U00020000\U0001F9FF\U0010FFFF\ue000",
    "def f(x):\n\treturn {\n        'a': [1, 2, 3],\n    }  # comment\n\n\n",
    'if (a != b && c->d[i++] >= 0x7F) { printf("%d\\n", ~x); }',
    "tab\tend\t\t two  three   four    \n\n \n  \n\t x \u00a0\u2003\u3000y\u2028z\u0085w",
    "<s></s><unk><0x0A><|endoftext|>", "http://example.com/a?b=c&d=%20#frag", "A" * 50 + " " * 50 + "9" * 50,
]


def made(count: int) -> list[str]:
    """Random texts of what pre-tokenizers tell apart, always the same."""
    rng = random.Random(7)
    letters = "aeiou tnshr  \n\t'.,!?0123456789ABCéß日本語한😀Ω½ \u00a0\u0301-_/\\{}()<>sdmtrvl"
    return ["".join(rng.choice(letters) for _ in range(rng.randrange(1, 60))) for _ in range(count)]


def everything(count: int) -> list[str]:
    """Random texts of any characters but the control bytes that the engine leaves out, mixed with ordinary words and
    white space, always the same."""
    rng = random.Random(11)
    words = " ".join(WRITTEN).split(" ")

    def part() -> str:
        kind = rng.randrange(4)
        if kind == 0:
            return rng.choice(words)
        if kind == 1:
            return rng.choice(" \t\n\x85\u00a0\u1680\u2003\u2028\u202f\u3000\ufeff") * rng.randrange(1, 4)
        most = rng.choice((0x80, 0x250, 0x3000, 0xD800, 0x110000))
        code = rng.randrange(0x20, most)
        return "" if code == 0x7F or 0xD800 <= code < 0xE000 else chr(code)

    return ["".join(part() for _ in range(rng.randrange(1, 40))) for _ in range(count)]


def sentencepiece(texts: list[str]) -> list[list[int]]:
    """By Llama 2's model."""
    return list(peers.ask("sentencepiece_tokens", model=str(DATA / "llama2-tokenizer.model"), texts=texts))


def tiktoken(texts: list[str]) -> list[list[int]]:
    """By GPT-2's encoding, from the project's copy of its files."""
    letters = {letter: byte for byte, letter in enumerate(alphabet())}
    ranks = {bytes(letters[letter] for letter in text).hex(): token for text, token in
             json.loads((DATA / "gpt2" / "encoder.json").read_text()).items() if text != "<|endoftext|>"}
    pattern = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
    return list(peers.ask("tiktoken_tokens", ranks=ranks, pattern=pattern, texts=texts))


def llama_cpp(path: Path) -> Encode:
    """By a GGUF file."""
    return lambda texts: list(peers.ask("llama_tokens", model=str(path), texts=texts))


def llama2_gguf(folder: Path) -> Path:
    """Llama 2's vocabulary as GGUF."""
    path = folder / "llama2.gguf"
    pieces = tokenizers.as_spm(tokenizers.llama2c_pieces((DATA / "llama2-tokenizer.bin").read_bytes()))
    tokenizers.gguf_file(path, "llama", pieces, bos_token_id=1, eos_token_id=2, unknown_token_id=0,
                         add_bos_token=True, add_space_prefix=True)
    return path


def gpt2_gguf(folder: Path, pre: str | None) -> Path:
    """GPT-2's vocabulary as GGUF, for a pre-tokenizer."""
    path = folder / f"{pre}.gguf"
    pieces, merges = tokenizers.gpt2_parts()
    tokenizers.gguf_file(path, "gpt2", pieces, merges, pre, bos_token_id=50256, eos_token_id=50256)
    return path


def main() -> None:
    """Writes tokens.json."""
    texts = [*WRITTEN, *made(40)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        encoders: dict[str, tuple[str, Encode]] = {"llama2": ("sentencepiece", sentencepiece),
                                                   "gpt-2": ("tiktoken", tiktoken)}
        for pre in ("llama-bpe", "smollm", "qwen2"):
            encoders[pre] = ("llama-cpp-python", llama_cpp(gpt2_gguf(folder, pre)))
        ids: dict[str, Any] = {name: {"by": f"{package} {peers.ask('version', package=package)}", "ids": encode(texts)}
                               for name, (package, encode) in encoders.items()}
    lines = [f'"texts": {json.dumps(texts)}', *(f'"{name}": {json.dumps(what)}' for name, what in ids.items())]
    GOLDEN.write_text("{" + ",\n".join(lines) + "}\n")


if __name__ == "__main__":
    main()
