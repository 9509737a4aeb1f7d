"""Every damaged file is refused in the words that tell the damage, under the sanitizers."""

from __future__ import annotations

from tests.engine import damaged
from tests.engine.conftest import Load


def test_there_are_many() -> None:
    every = damaged.every()
    assert len(every) >= 500
    assert len({one.what for one in every}) == len(every)
    assert len({(one.model, one.tokenizer) for one in every}) == len(every)
    assert len(damaged.few()) == len(damaged.FEW)


def test_words(load: Load) -> None:
    every = damaged.every()
    said = load([one.model if one.tokenizer is None else (one.model, one.tokenizer) for one in every])
    for one, (code, text) in zip(every, said, strict=True):
        assert code != 0 and text.startswith(one.words), f"{one.what}: {text}"


def test_the_undamaged_files_load(load: Load) -> None:
    good = [bytes(damaged.GOOD.data), (damaged.V0.data, damaged.TOKENIZER), (damaged.V2.data, damaged.TOKENIZER)]
    assert load(good) == [(0, "")] * 3
