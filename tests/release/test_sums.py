"""SHA256SUMS: what is written is read back, coreutils agrees, and whatever was changed is refused."""

from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolchain.release import sums

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9.+~_-]{0,30}", fullmatch=True)
DIGESTS = st.binary(min_size=32, max_size=32).map(bytes.hex)
LISTS = st.dictionaries(NAMES, DIGESTS, max_size=9)
GOOD = sums.encode({"a": "0" * 64, "b.txt": "f" * 64})


@given(LISTS)
def test_what_is_written_is_read(digests: dict[str, str]) -> None:
    assert sums.decode(sums.encode(digests)) == digests


@given(LISTS, st.data())
def test_any_changed_byte_is_refused(digests: dict[str, str], data: st.DataObject) -> None:
    good = sums.encode(digests)
    at = data.draw(st.integers(0, len(good) - 1))
    bad = good[:at] + bytes([good[at] ^ data.draw(st.integers(1, 255))]) + good[at + 1:]
    with pytest.raises(sums.BadSums):
        sums.decode(bad)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with pytest.raises(sums.BadSums):
        sums.decode(data)


def sealed(lines: str) -> bytes:
    """Any lines with a last one that is right."""
    return f"{lines}# sha256 of the lines above: {hashlib.sha256(lines.encode()).hexdigest()}\n".encode()


@pytest.mark.parametrize(("data", "what"), [
    (b"", "last line"),
    (GOOD[:-1], "last line"),
    (GOOD + b"\n", "last line"),
    (GOOD.replace(b"b.txt", b"c.txt"), "lines are not those"),
    (GOOD.replace(b"# sha256", b"#  sha256"), "last line"),
    (sealed("0" * 64 + "  ../a\n"), "line 1 "),
    (sealed("0" * 64 + "  .a\n"), "line 1 "),
    (sealed("0" * 64 + " *a\n"), "line 1 "),
    (sealed("0" * 63 + "  a\n"), "line 1 "),
    (sealed("A" * 64 + "  a\n"), "line 1 "),
    (sealed("0" * 64 + "  a\n\n"), "line 2 "),
    (sealed("0" * 64 + "  a\r\n"), "line 1 "),
    (sealed("0" * 64 + "  b\n" + "0" * 64 + "  a\n"), "sorted"),
    (sealed("0" * 64 + "  a\n" + "1" * 64 + "  a\n"), "twice"),
    ("ü".encode() + GOOD, "plain text"),
    (sealed("".join("0" * 64 + f"  a{n:04}\n" for n in range(999))), "longer"),
])
def test_what_is_wrong_is_said(data: bytes, what: str) -> None:
    with pytest.raises(sums.BadSums, match=what):
        sums.decode(data)


def test_a_hundred_lines_are_no_strain() -> None:
    digests = {f"a{n:03}": "0" * 64 for n in range(100)}
    assert len(sums.decode(sums.encode(digests))) == 100


def test_coreutils_agrees(tmp_path: Path) -> None:
    texts = {"a": b"one", "b-1.0.img.zst": b"two"}
    for name, text in texts.items():
        (tmp_path / name).write_bytes(text)
    digests = {name: hashlib.sha256(text).hexdigest() for name, text in texts.items()}
    (tmp_path / "SHA256SUMS").write_bytes(sums.encode(digests))

    def check() -> tuple[int, str]:
        done = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=tmp_path, text=True,
                              capture_output=True)
        return done.returncode, done.stdout

    assert check() == (0, "a: OK\nb-1.0.img.zst: OK\n")
    (tmp_path / "a").write_bytes(b"onE")
    assert check()[0] == 1 and re.search("a: FAILED", check()[1])
