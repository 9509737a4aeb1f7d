"""A model's bytes in pieces of memory and in shards, and memory that is scarce: the same logits, everything given back,
under the sanitizers."""

from __future__ import annotations

import re
import struct
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import cbuild
from tests.engine import llamas, models
from tests.engine.llamas import LLAMA2C, Shape
from tests.engine.models import ARRAY, U16, U32, Array, Key, Typed

OK, MEMORY, TRUNCATED, FORMAT, UNSUPPORTED, RANGE, IO = range(7)
STEP = 64  # PIECES_ALIGN
SHAPE = Shape(context=20, layers=2, width=32, heads=4, kv_heads=2, hidden=64)
MIXED = {"attn_q": "Q8_0", "attn_k": "F16", "ffn_down": "Q4_0", "token_embd": "Q8_0", "output": "Q4_0"}
KEYS = llamas.keys_of(SHAPE)
STORED = llamas.stored(llamas.random_tensors(SHAPE), MIXED)
GGUF = models.write(KEYS, STORED)
SMALL = replace(LLAMA2C, context=20, layers=2, width=32, hidden=64)
TENSORS = llamas.random_tensors(SMALL)
WORDS = llamas.tokenizer_bin()
GPT2 = models.Shape()


@dataclass(frozen=True)
class Case:
    """Parts, each with the places where it is cut."""

    parts: Sequence[tuple[bytes, Sequence[int]]]
    tokenizer: bytes = b""
    fails_at: int = 0
    free: int = 0


@dataclass(frozen=True)
class Answer:
    code: int
    kept: int
    taken: int
    context: int
    digest: str
    text: str


Tell = Callable[[Sequence[Case]], list[Answer]]

FILES = {"gguf": Case([(bytes(GGUF.data), [])]),
         "gpt2": Case([(models.model_bytes(GPT2, models.random_tensors(GPT2)), [])]),
         "v0": Case([(llamas.v0(SMALL, TENSORS).data, [])], WORDS),
         "v2": Case([(llamas.v2(SMALL, TENSORS, 32)[0].data, [])], WORDS),
         "expanded": Case([(llamas.v2(SMALL, TENSORS, 8)[0].data, [])], WORDS)}


@pytest.fixture(scope="module")
def tell(tmp_path_factory: pytest.TempPathFactory) -> Tell:
    program = cbuild.build(tmp_path_factory, "pieces_cases", (), cbuild.SANITIZE,
                           more=(*cbuild.scalar_engine(), Path(__file__).with_name("pieces_cases.c")))

    def ask(cases: Sequence[Case]) -> list[Answer]:
        data = b""
        for case in cases:
            data += struct.pack("<4Q", len(case.parts), len(case.tokenizer), case.fails_at, case.free)
            for file, cuts in case.parts:
                data += struct.pack(f"<{len(cuts) + 2}Q", len(cuts), *cuts, len(file)) + file
            data += case.tokenizer
        done = subprocess.run([program], input=data, capture_output=True, timeout=300)
        assert done.returncode == 0, done.stderr.decode()
        lines = [line.split(" ", 5) for line in done.stdout.decode("ascii").splitlines()]
        assert len(lines) == len(cases)
        return [Answer(int(code), int(kept), int(taken), int(context), digest, text)
                for code, kept, taken, context, digest, text in lines]

    return ask


def description(kind: str) -> int:
    """Where what must lie in the first piece ends."""
    if kind in ("gguf", "gpt2"):
        keys, tensors = (KEYS, STORED) if kind == "gguf" else (models.keys_of(GPT2), models.random_tensors(GPT2))
        return next(at for at, _, name in models.write(keys, tensors).marks if name == "padding")
    return 28 if kind == "v0" else 256


@pytest.mark.parametrize("kind", FILES)
def test_cut_anywhere(tell: Tell, kind: str) -> None:
    """The logits are those of the file in one piece, or the first piece is too small for the description."""
    whole = FILES[kind].parts[0][0]
    steps = len(whole) // STEP
    wanted, end = tell([FILES[kind]])[0], description(kind)
    assert (wanted.code, wanted.kept, wanted.text) == (OK, 0, "")

    @settings(max_examples=25, deadline=None)
    @given(st.lists(st.sets(st.integers(1, steps), max_size=15), min_size=8, max_size=8))
    def check(choices: list[set[int]]) -> None:
        cuts = [sorted(at * STEP for at in choice if at * STEP < len(whole)) for choice in choices]
        answers = tell([replace(FILES[kind], parts=[(whole, places)]) for places in cuts])
        for places, answer in zip(cuts, answers, strict=True):
            assert answer.kept == 0
            if places and places[0] < end:
                assert answer.code != OK
                assert kind in ("v0", "v2", "expanded") or (answer.code, answer.text) == (
                    MEMORY, "no piece of memory holds the whole description of the file")
            else:
                assert (answer.code, answer.digest) == (OK, wanted.digest)

    check()


def test_only_a_cut_tensor_is_copied(tell: Tell) -> None:
    """A cut between two tensors costs nothing; one inside a tensor costs one block."""
    table = models.write([*KEYS, Key("general.alignment", U32, 64)], STORED, alignment=64)
    whole, start = bytes(table.data), table.marks[-1][0]
    field = next(at for at, _, name in table.marks if name == "blk.1.ffn_up.weight offset")
    place = start + struct.unpack_from("<Q", whole, field)[0]
    base, between, inside = tell([Case([(whole, cuts)]) for cuts in ([], [place], [place + 128])])
    assert place % STEP == 0 and base.digest == between.digest == inside.digest
    assert (between.taken, inside.taken) == (base.taken, base.taken + 1)


# -- shards --


def shards(folder: Path, keys: Sequence[Key], tensors: Mapping[str, Array | Typed], most: int,
           small_first: bool = False) -> list[Path]:
    """Written by the gguf package."""
    writer = gguf.GGUFWriter(folder / "model.gguf", str(keys[0].value), split_max_tensors=most,
                             small_first_shard=small_first)
    for key in keys[1:]:
        if key.type == ARRAY and not key.value:
            continue
        if key.type == ARRAY:
            writer.add_array(key.name, key.value)
        else:
            writer.add_key_value(key.name, key.value, gguf.GGUFValueType(key.type))
    for name, tensor in tensors.items():
        if isinstance(tensor, Typed):
            kind = gguf.GGMLQuantizationType(tensor.type)
            data = np.frombuffer(tensor.data, np.float16 if kind.name == "F16" else np.uint8)
            writer.add_tensor(name, data.reshape(tensor.shape[0], -1), raw_dtype=kind)
        else:
            writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return sorted(folder.glob("model*.gguf"))


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The model in shards of 8 tensors."""
    files = shards(tmp_path_factory.mktemp("shards"), KEYS, STORED, 8)
    assert [file.name for file in files] == [f"model-{i + 1:05d}-of-00003.gguf" for i in range(3)]
    return [file.read_bytes() for file in files]


def case(*files: bytes) -> Case:
    return Case([(file, []) for file in files])


def test_shards(tell: Tell, parts: list[bytes], tmp_path: Path) -> None:
    """The same logits; also when each is cut, and when the first holds no tensor."""
    small = [file.read_bytes() for file in shards(tmp_path, KEYS, STORED, 5, small_first=True)]
    cut = Case([(part, [len(part) // 2 // STEP * STEP]) for part in parts[1:]])
    cut = replace(cut, parts=[(parts[0], [(len(parts[0]) - 1) // STEP * STEP]), *cut.parts])
    whole, *found = tell([FILES["gguf"], case(*parts), case(*small), cut])
    assert len(small) == 6
    for answer in found:
        assert (answer.code, answer.kept, answer.digest) == (OK, 0, whole.digest)


def with_split(part: bytes, key: str, value: int) -> bytes:
    """With another number in a key of the split, of 16 or 32 bits."""
    at = part.index(key.encode()) + len(key)
    size = 2 if struct.unpack_from("<I", part, at)[0] == U16 else 4
    return part[:at + 4] + value.to_bytes(size, "little") + part[at + 4 + size:]


def test_shards_that_do_not_belong_together(tell: Tell, parts: list[bytes]) -> None:
    one, two, three = parts
    whole = bytes(GGUF.data)
    wrong = {
        "in part 1 of 2: split.count is 3, and not 2": case(one, two),
        "split.count is 3, and not 1": case(one),
        "in part 2 of 3: split.no is 2, and not 1": case(one, three, two),
        "in part 1 of 3: split.no is 1, and not 0": case(two, two, three),
        "in part 1 of 3: a key is missing: split.count": case(whole, two, three),
        "in part 3 of 3: a key is missing: split.count": case(one, two, whole),
        "split.tensors.count is 7, and not 21": case(with_split(one, "split.tensors.count", 7), two, three),
        "in part 3 of 3: a tensor that is there twice": case(one, two, with_split(two, "split.no", 2)),
        "in part 2 of 3: the file ends before the data of the tensor": case(one, two[:-1], three),
        "in part 2 of 3: not a GGUF file": case(one, b"GGUX" + two[4:], three),
        "a model of no file, or of more than 16": case(one, *[two] * 16),
        "a llama2.c model of several files": case(llamas.v0(SMALL, TENSORS).data, one),
    }
    for text, answer in zip(wrong, tell(list(wrong.values())), strict=True):
        assert answer.code in (FORMAT, TRUNCATED, UNSUPPORTED) and answer.kept == 0
        assert answer.text.startswith(text), answer


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_damaged_shards(tell: Tell, parts: list[bytes], data: Any) -> None:
    """Whatever a byte says: an error or a model, nothing read beyond."""
    cases = []
    for _ in range(10):
        damaged = [bytearray(part) for part in parts]
        which = data.draw(st.integers(0, 2))
        at = data.draw(st.integers(0, min(1500, len(damaged[which])) - 1))
        damaged[which][at] = data.draw(st.integers(0, 255))
        cases.append(case(*map(bytes, damaged)))
    assert all(answer.kept == 0 for answer in tell(cases))


# -- memory --


@pytest.mark.parametrize("kind", FILES)
def test_every_allocation_may_fail(tell: Tell, kind: str) -> None:
    """What was taken before is given back, and the error says for what there was too little."""
    whole = FILES[kind].parts[0][0]
    cuts = [(len(whole) - 4000) // STEP * STEP]
    good = replace(FILES[kind], parts=[(whole, cuts)])
    count = tell([good])[0].taken
    assert count > 8
    for answer in tell([replace(good, fails_at=i + 1) for i in range(count)]):
        assert (answer.code, answer.kept) == (MEMORY, 0)
        assert answer.text.startswith("not enough memory for ") and answer.text.endswith(" MiB needed")


def test_fifty_switches_lose_nothing(tell: Tell) -> None:
    answers = tell([*FILES.values()] * 50)
    assert {answer.kept for answer in answers} == {0} and {answer.code for answer in answers} == {OK}


MIB = 1 << 20


def test_the_context_is_what_fits(tell: Tell) -> None:
    """The largest multiple of 64; the text does not depend on it as long as it is shorter."""
    long = [replace(key, value=131072) if key.name == "llama.context_length" else key for key in KEYS]
    model = Case([(bytes(models.write(long, STORED).data), [])])
    sizes = [40 * MIB, 41 * MIB, 64 * MIB, 100 * MIB, 256 * MIB, 1024 * MIB]
    plenty, *found = tell([model, *(replace(model, free=size) for size in sizes)])
    assert plenty.context == 131072
    each = 2 * 2 * 2 * 8 * 4 + 4 + 4  # keys and values of 2 layers with 2 heads of 8 floats, a score, a slot
    for size, answer in zip(sizes, found, strict=True):
        room = size - max(16 * MIB, size // 16)
        assert (answer.code, answer.kept, answer.digest) == (OK, 0, plenty.digest)
        assert answer.context % 64 == 0 or answer.context == 131072
        if answer.context < 131072:
            assert room - 64 * each - 200000 < answer.context * each <= room
    assert [answer.context for answer in found] == sorted(answer.context for answer in found)
    assert found[0].context < 131072 == found[-1].context


def test_not_even_the_least_context_fits(tell: Tell) -> None:
    long = [replace(key, value=131072) if key.name == "llama.context_length" else key for key in KEYS]
    cases = [replace(Case([(bytes(models.write(keys, STORED).data), [])]), free=size)
             for keys in (KEYS, long) for size in (1, 16 * MIB + 4096)]
    for answer, least in zip(tell(cases), (20, 20, 64, 64), strict=True):
        assert (answer.code, answer.kept) == (MEMORY, 0)
        assert re.fullmatch(r"not enough memory for the arenas \(the largest: (kv|acts|scratch)\) of a context of "
                            rf"{least}: 0\.\d MiB needed, 0\.0 MiB found", answer.text)
