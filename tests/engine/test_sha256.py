"""SHA-256, by each implementation: NIST's vectors, hashlib's answers, pieces of any length."""

from __future__ import annotations

import ctypes
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

SHA = 1 << 6  # enum cpu_feature

# FIPS 180-4 and NIST's examples; the last is of 1,000,000 times "a".
VECTORS = {
    b"": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    b"abc": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq":
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    b"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu":
        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
    b"a" * 1_000_000: "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
}


class Kernel(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("blocks", ctypes.c_void_p)]


class Hash(ctypes.Structure):
    _fields_ = [("kernel", ctypes.c_void_p), ("state", ctypes.c_uint32 * 8), ("bytes", ctypes.c_uint64),
                ("rest", ctypes.c_uint8 * 64)]


def kernel_of(engine: ctypes.CDLL, name: str) -> Kernel:
    """The implementation of that name; skips where this CPU cannot run it."""
    if name == "sha_ni":
        from tests.kernels.test_cpu import this_cpu

        if not this_cpu(engine) & SHA:
            pytest.skip("needs a CPU with the SHA extensions")
    return Kernel.in_dll(engine, name)


def digest(engine: ctypes.CDLL, kernel: Kernel, pieces: list[bytes]) -> str:
    made, out = Hash(), ctypes.create_string_buffer(32)
    engine.sha256_open(ctypes.byref(made), ctypes.byref(kernel))
    for piece in pieces:
        engine.sha256_add(ctypes.byref(made), piece, ctypes.c_size_t(len(piece)))
    engine.sha256_close(ctypes.byref(made), out)
    return out.raw.hex()


@pytest.fixture(params=["sha_scalar", "sha_ni"])
def kernel(request: pytest.FixtureRequest, engine: ctypes.CDLL) -> Kernel:
    return kernel_of(engine, request.param)


def test_published_vectors(engine: ctypes.CDLL, kernel: Kernel) -> None:
    for data, expected in VECTORS.items():
        assert digest(engine, kernel, [data]) == expected


def test_every_length_around_the_blocks(engine: ctypes.CDLL, kernel: Kernel) -> None:
    data = bytes(range(256)) * 2
    for n in range(300):
        assert digest(engine, kernel, [data[:n]]) == hashlib.sha256(data[:n]).hexdigest(), n
        assert digest(engine, kernel, [data[:1], data[1:n]]) == hashlib.sha256(data[:max(n, 1)]).hexdigest(), n


@pytest.mark.parametrize("name", ["sha_scalar", "sha_ni"])
def test_pieces_of_any_length(engine: ctypes.CDLL, name: str) -> None:
    kernel = kernel_of(engine, name)

    @given(st.lists(st.binary(max_size=200), max_size=12))
    def check(pieces: list[bytes]) -> None:
        assert digest(engine, kernel, pieces) == hashlib.sha256(b"".join(pieces)).hexdigest()

    check()


def test_lengths_beyond_32_bits(engine: ctypes.CDLL) -> None:
    """The count of bytes, and of bits, is of 64 bits: a state as after 4 GiB is closed as one."""
    kernel, out = kernel_of(engine, "sha_scalar"), ctypes.create_string_buffer(32)
    digests = set()
    for count in (1 << 26, 1 << 32, 1 << 40):
        made = Hash()
        engine.sha256_open(ctypes.byref(made), ctypes.byref(kernel))
        made.bytes = count
        engine.sha256_close(ctypes.byref(made), out)
        digests.add(out.raw)
    assert len(digests) == 3


# -- choosing --

BLOCKS = ctypes.CFUNCTYPE(None, ctypes.POINTER(ctypes.c_uint32), ctypes.c_void_p, ctypes.c_size_t)


def chosen(engine: ctypes.CDLL, features: int) -> bytes:
    engine.sha_select.restype = ctypes.POINTER(Kernel)
    return bytes(engine.sha_select(features).contents.name)


def test_chosen_by_the_cpu(engine: ctypes.CDLL) -> None:
    assert chosen(engine, 0) == b"scalar"
    assert chosen(engine, ~SHA) == b"scalar"
    kernel_of(engine, "sha_ni")
    assert chosen(engine, SHA) == b"sha-ni"


def test_one_that_gives_other_bits_is_never_chosen(engine: ctypes.CDLL) -> None:
    engine.sha_checked.restype = ctypes.POINTER(Kernel)
    scalar = Kernel.in_dll(engine, "sha_scalar")
    right = ctypes.cast(scalar.blocks, BLOCKS)

    def wrong(state: ctypes._Pointer[ctypes.c_uint32], data: int, count: int) -> None:
        right(state, data, count)
        state[7] ^= 1

    for call, name in ((right, b"made-up"), (BLOCKS(wrong), b"scalar")):
        candidate = Kernel(b"made-up", ctypes.cast(call, ctypes.c_void_p))
        assert engine.sha_checked(ctypes.byref(candidate)).contents.name == name
