"""/save and /load: a text goes on as if it had never stopped, and no file breaks the chat."""

from __future__ import annotations

import hashlib
import random
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.host import talking

Chat = Callable[..., list[str]]
HEAD = 8 + 4 + 4 + 32 + 32 + 4 + 4 + 8 + 8 * 32 + 4 + 4 + 2048
DIGESTED = 48
USED, PENDING, RNG, SETTINGS, COUNTS = 80, 84, 88, 96, 352  # where they lie in the head


@pytest.fixture
def chat(ingot: Path, tmp_path: Path) -> Chat:
    """`chat(MODEL, LINE…)`: what comes after each line; in a folder of its own, sampled."""

    def start(model: bytes, *lines: str, seed: str = "5") -> list[str]:
        path = tmp_path / "model.gguf"
        path.write_bytes(model)
        typed = "".join(line + "\r" for line in ("/stats off", *lines)).encode()
        done = subprocess.run([ingot, path, "--chat", "-t", "1", "--tokens", "8", "-s", seed], input=typed,
                              cwd=tmp_path, capture_output=True, timeout=120)
        assert done.returncode == 0, done.stderr
        parts = done.stdout.decode().split("\n> ")[2:]
        return [part.removeprefix(f"{line}\n").removesuffix("\n") for part, line in zip(parts, lines, strict=False)]

    return start


@pytest.mark.parametrize("context", [192, 48])
@pytest.mark.parametrize("make", [talking.llama, talking.gpt2])
def test_it_goes_on_as_if_nothing_had_been(chat: Chat, make: Callable[..., bytes], context: int) -> None:
    """In another process, that began with another seed; with a context of 48 the window has slid."""
    model = make(context)
    lines = ["/system Be brief.", "/top_k 20", "/temp 0.7", "Hello", "And now?"]
    after = ["Once more", "/system", "/temp", "And again"]
    whole = chat(model, *lines, *after)[len(lines):]
    assert chat(model, *lines, "/save my")[-1].startswith("[saved] my.session tokens=")
    loaded = chat(model, "Something else", "/load my", *after, seed="9")[1:]
    assert loaded[0].startswith("[loaded] my.session tokens=")
    assert loaded[1:] == whole


def test_without_a_template(chat: Chat) -> None:
    """The next line goes on from the text that was loaded, the one after it is a text of its own."""
    model = talking.llama(template=False)
    one, _, plain = chat(model, "/temp 0", "Hello", "/save", "And")[1:]
    loaded, on, anew = chat(model, "/load", " now", "And")
    assert loaded == "[loaded] chat.session tokens=13"  # the prompt and eight tokens
    assert on == " now" + chat(model, "/temp 0", one + " now")[1].removeprefix(one + " now")
    assert anew == plain


def test_nothing_to_save(chat: Chat) -> None:
    assert chat(talking.llama(), "/save", "/load", "/save a/b", "/save " + "x" * 41, "/load ..") == [
        "error: nothing was said yet", "error: chat.session: No such file or directory",
        *["error: " + text for text in (
            "not a name for a file: a/b.session", "a name of more than 40 characters",
            "not a name for a file: ...session")]]


def test_of_another_model(chat: Chat) -> None:
    """Of another shape, of another context, of other weights alone."""
    chat(talking.llama(), "Hello", "/save x")
    for other in (talking.gpt2(), talking.llama(96), talking.llama(seed=2), talking.llama(template=False)):
        assert chat(other, "/load x")[0].endswith("a session of another model, or of another context: x.session")


def signed(data: bytes) -> bytes:
    """With the digest that belongs to it."""
    return data[:16] + hashlib.sha256(data[DIGESTED:]).digest() + data[DIGESTED:]


def test_hostile_files(chat: Chat, tmp_path: Path) -> None:
    """Bytes turned over, ends cut off, and with a right digest numbers that cannot be: all refused, and the
    conversation goes on as it was."""
    model, path = talking.llama(48), tmp_path / "x.session"
    one, two = chat(model, "Hello", "Go on")
    chat(model, "Hello", "/save x")
    good, rng = path.read_bytes(), random.Random(1)

    def put(at: int, what: bytes) -> bytes:
        return signed(good[:at] + what + good[at + len(what):])

    bad = [b"", b"INGOTSES", good[:HEAD - 1], good[:HEAD], good[:-1], good + b"\0", bytes(len(good))]
    for at in (*range(0, DIGESTED, 5), *(rng.randrange(DIGESTED, len(good)) for _ in range(20))):
        bad.append(good[:at] + bytes([good[at] ^ 1 << rng.randrange(8)]) + good[at + 1:])
    used = struct.unpack_from("<I", good, USED)[0]
    for number in (used - 1, used + 1, 0, 2**31, 2**32 - 1):
        bad.append(put(USED, struct.pack("<I", number)))
    bad += [put(PENDING, struct.pack("<I", 258)), put(RNG, bytes(8)), put(COUNTS, struct.pack("<I", 33)),
            put(COUNTS, struct.pack("<I", 3)), put(COUNTS + 4, struct.pack("<I", 2049))]
    for value in (b"\0\0\xc0\x7f", b"\0\0\x80\x7f", b"\0\0\x80\xbf"):  # temp: NaN, infinite, -1
        bad.append(put(SETTINGS, value))
    for data in bad:
        assert data != good
        path.write_bytes(data)
        said = chat(model, "Hello", "/load x", "Go on")
        assert said[1].startswith("error: ") and "session" in said[1], said
        assert (said[0], said[2]) == (one, two)
    path.write_bytes(put(HEAD, struct.pack("<I", 258)))  # a token that there is not: seen when all is read
    said = chat(model, "Hello", "/load x", "Hello")
    assert said[1] == "error: a damaged session: x.session\n[reset] the conversation begins anew"
    path.write_bytes(signed(good))
    assert chat(model, "Hello", "/load x")[1].startswith("[loaded]")
