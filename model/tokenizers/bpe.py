"""BPE trained here, by SentencePiece as llama2.c's tinystories.py calls it: a table of the kind `llama`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from model.program import InputError
from model.tokenizers.llama import from_sentencepiece
from model.tokenizers.table import Table

LEAST, MOST = 260, 65_536  # <unk>, <s>, </s>, the 256 bytes and one more; what fits into two bytes
SENTENCE = 4192  # bytes that the trainer takes at once


def train(texts: Sequence[str], vocab: int) -> Table:
    """The same texts, in whatever order, give the same table on any machine: one thread, nothing sampled."""
    import sentencepiece

    if not LEAST <= vocab <= MOST:
        raise InputError(f"a BPE of {vocab:,} tokens", f"it has from {LEAST} to {MOST:,}")
    lines = sorted(_lines(texts))
    made = BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines), model_writer=made, model_type="bpe", vocab_size=vocab,
            self_test_sample_size=0, character_coverage=1.0, num_threads=1, split_digits=True,
            allow_whitespace_only_pieces=True, byte_fallback=True, unk_surface=" \u2047 ",
            normalization_rule_name="identity", remove_extra_whitespaces=False, input_sentence_size=0,
            max_sentence_length=SENTENCE, minloglevel=2)
    except RuntimeError as error:
        raise InputError(f"no BPE of {vocab:,} tokens can be made of this text", _hint(str(error))) from None
    with TemporaryDirectory() as folder:
        model = Path(folder) / "bpe.model"
        model.write_bytes(made.getvalue())
        return from_sentencepiece(model)


def _hint(error: str) -> str:
    """What to do about the trainer's error."""
    least, most = re.search(r"required_chars\. \d+ vs (\d+)", error), re.search(r"value <= (\d+)", error)
    if least:
        return f"it has many characters: ask for {int(least[1]):,} tokens at least"
    return f"give more text, or ask for at most {int(most[1]):,} tokens" if most else "give more text"


def _lines(texts: Sequence[str]) -> Iterator[str]:
    """What the trainer counts pairs in: lines, long ones in pieces that end between words."""
    for text in texts:
        for line in text.splitlines():
            part = ""
            for word in line.split(" "):
                if len((part + " " + word).encode()) > SENTENCE and part:
                    yield part
                    part = word
                else:
                    part = f"{part} {word}" if part else word
            if part.strip():
                yield part
