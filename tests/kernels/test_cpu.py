"""Which instructions may be used, decided from CPUID and XCR0 of made-up CPUs; and which table wins."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import pytest

from tests.kernels.table import FUNCTIONS, Kernels

SSE2, AVX, AVX2, FMA, F16C, AVX512, SHA, VNNI = (1 << i for i in range(8))
EDX_SSE2 = 1 << 26
ECX_FMA, ECX_XSAVE, ECX_OSXSAVE, ECX_AVX, ECX_F16C = 1 << 12, 1 << 26, 1 << 27, 1 << 28, 1 << 29
EBX_AVX2, EBX_F, EBX_DQ, EBX_BW, EBX_VL = 1 << 5, 1 << 16, 1 << 17, 1 << 30, 1 << 31
ECX_SSSE3, ECX_SSE41, EBX_SHA = 1 << 9, 1 << 19, 1 << 29
ECX7_VNNI = 1 << 11
EBX_AVX512 = EBX_F | EBX_DQ | EBX_BW | EBX_VL
XCR0_SSE, XCR0_AVX, XCR0_AVX512 = 0x3, 0x7, 0xE7


class Leaves(ctypes.Structure):
    _fields_ = [("vendor", ctypes.c_char * 13), ("leaf1_ecx", ctypes.c_uint32), ("leaf1_edx", ctypes.c_uint32),
                ("leaf7_ebx", ctypes.c_uint32), ("leaf7_ecx", ctypes.c_uint32), ("leaf13_eax", ctypes.c_uint32),
                ("xcr0", ctypes.c_uint64)]


@dataclass(frozen=True)
class Cpu:
    ecx: int
    ebx: int
    xcr0: int
    features: int
    best_xcr0: int
    supports: int = XCR0_AVX512
    ecx7: int = 0


FULL_ECX = ECX_FMA | ECX_XSAVE | ECX_OSXSAVE | ECX_AVX | ECX_F16C
OFF_ECX = FULL_ECX & ~ECX_OSXSAVE
WITH_AVX2 = SSE2 | AVX | AVX2 | FMA | F16C
CPUS = {
    "a server with everything": Cpu(FULL_ECX, EBX_AVX2 | EBX_AVX512, 0xE7, WITH_AVX2 | AVX512, 0xE7),
    "a server with VNNI": Cpu(FULL_ECX, EBX_AVX2 | EBX_AVX512, 0xE7, WITH_AVX2 | AVX512 | VNNI, 0xE7, ecx7=ECX7_VNNI),
    "VNNI, its registers off": Cpu(FULL_ECX, EBX_AVX2 | EBX_AVX512, XCR0_AVX, WITH_AVX2, 0xE7, ecx7=ECX7_VNNI),
    "VNNI without VL": Cpu(FULL_ECX, EBX_AVX2 | EBX_AVX512 & ~EBX_VL, 0xE7, WITH_AVX2, 0xE7, ecx7=ECX7_VNNI),
    "AVX-512 that XCR0 leaves off": Cpu(FULL_ECX, EBX_AVX2 | EBX_AVX512, XCR0_AVX, WITH_AVX2, 0xE7),
    "AVX-512 with half of its state": Cpu(FULL_ECX, EBX_AVX2 | EBX_AVX512, 0x67, WITH_AVX2, 0xE7),
    "AVX-512 F alone": Cpu(FULL_ECX, EBX_AVX2 | EBX_F, 0xE7, WITH_AVX2, 0xE7),
    "AVX-512 without VL": Cpu(FULL_ECX, EBX_AVX2 | EBX_AVX512 & ~EBX_VL, 0xE7, WITH_AVX2, 0xE7),
    "AVX off in XCR0": Cpu(FULL_ECX, EBX_AVX2, XCR0_SSE, SSE2, XCR0_AVX, XCR0_AVX),
    "YMM on, XMM off": Cpu(FULL_ECX, EBX_AVX2, 0x5, SSE2, XCR0_AVX, XCR0_AVX),
    "firmware without OSXSAVE": Cpu(OFF_ECX, EBX_AVX2 | EBX_AVX512, 0, SSE2, 0xE7),
    "AVX without AVX2": Cpu(FULL_ECX & ~ECX_FMA, 0, XCR0_AVX, SSE2 | AVX | F16C, XCR0_AVX, XCR0_AVX),
    "AVX2 in CPUID, AVX not": Cpu(FULL_ECX & ~ECX_AVX, EBX_AVX2, XCR0_AVX, SSE2, XCR0_AVX, XCR0_AVX),
    "qemu64": Cpu(0, 0, 0, SSE2, 0, 0),
    "SHA on a CPU without AVX": Cpu(ECX_SSSE3 | ECX_SSE41, EBX_SHA, 0, SSE2 | SHA, 0, 0),
    "SHA without SSE4.1": Cpu(ECX_SSSE3, EBX_SHA, 0, SSE2, 0, 0),
    "SHA without SSSE3": Cpu(ECX_SSE41, EBX_SHA, 0, SSE2, 0, 0),
    "SSE4.1 without SHA": Cpu(ECX_SSSE3 | ECX_SSE41, 0, 0, SSE2, 0, 0),
    "SHA beside AVX2": Cpu(FULL_ECX | ECX_SSSE3 | ECX_SSE41, EBX_AVX2 | EBX_SHA, XCR0_AVX, WITH_AVX2 | SHA, XCR0_AVX,
                           XCR0_AVX),
    "XSAVE for SSE alone": Cpu(ECX_XSAVE, 0, 0, SSE2, XCR0_SSE, XCR0_SSE),
    "protection keys stay on": Cpu(FULL_ECX, EBX_AVX2, 0x207, WITH_AVX2, 0x207, 0x207),
}


def leaves(cpu: Cpu) -> Leaves:
    return Leaves(b"MadeUpCPUxyz", cpu.ecx, EDX_SSE2, cpu.ebx, cpu.ecx7, cpu.supports, cpu.xcr0)


@pytest.mark.parametrize("name", CPUS)
def test_features(library: ctypes.CDLL, name: str) -> None:
    assert library.cpu_features(ctypes.byref(leaves(CPUS[name]))) == CPUS[name].features


@pytest.mark.parametrize("name", CPUS)
def test_what_to_turn_on(library: ctypes.CDLL, name: str) -> None:
    library.cpu_best_xcr0.restype = ctypes.c_uint64
    cpu = CPUS[name]
    if cpu.xcr0 == 0x5 or cpu.xcr0 == 0x67:
        return  # no firmware does this; the CPU refuses to load it
    assert library.cpu_best_xcr0(ctypes.byref(leaves(cpu))) == cpu.best_xcr0 | cpu.xcr0


def text_of(library: ctypes.CDLL, features: int, room: int = 64) -> bytes:
    text = ctypes.create_string_buffer(room)
    library.cpu_features_text(features, text, ctypes.c_size_t(room))
    return text.value


def test_text(library: ctypes.CDLL) -> None:
    assert text_of(library, WITH_AVX2 | AVX512) == b"sse2,avx,avx2,fma,f16c,avx512"
    assert text_of(library, SSE2 | SHA) == b"sse2,sha"
    assert text_of(library, AVX512 | VNNI) == b"avx512,avx512vnni"
    assert text_of(library, 0) == b""
    assert text_of(library, SSE2 | AVX, 7) == b"sse2,a"


def test_this_machine_agrees_with_linux(library: ctypes.CDLL) -> None:
    library.cpu_detect.restype = Leaves
    found = library.cpu_detect()
    with open("/proc/cpuinfo") as file:
        lines = dict(line.split(":", 1) for line in file.read().split("\n\n")[0].splitlines())
    info = {key.strip(): value.strip() for key, value in lines.items()}
    flags = set(info["flags"].split())
    assert found.vendor.decode() == info["vendor_id"]
    features = library.cpu_features(ctypes.byref(found))
    assert bool(features & AVX2) == ("avx2" in flags)
    assert bool(features & SHA) == ("sha_ni" in flags)
    assert bool(features & AVX512) == ({"avx512f", "avx512bw", "avx512dq", "avx512vl"} <= flags)
    assert bool(features & VNNI) == ({"avx512f", "avx512vl", "avx512_vnni"} <= flags)


# -- choosing a table --

NEEDS = {"scalar": 0, "sse2": SSE2, "avx2": AVX2 | F16C, "avx512": AVX512 | F16C, "avx512vnni": VNNI | F16C}

CLOCK = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p)


class Trial(ctypes.Structure):
    _fields_ = [("table", ctypes.POINTER(Kernels)), ("usable", ctypes.c_bool), ("correct", ctypes.c_bool),
                ("float_rounds_s", ctypes.c_uint32), ("int8_rounds_s", ctypes.c_uint32)]


class Selection(ctypes.Structure):
    _fields_ = [("chosen", ctypes.POINTER(Kernels)), ("mixed", Kernels), ("mixed_name", ctypes.c_char * 24),
                ("trial", Trial * 5)]


class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("text", ctypes.c_char * 192)]


def this_cpu(library: ctypes.CDLL) -> int:
    library.cpu_detect.restype = Leaves
    return int(library.cpu_features(ctypes.byref(library.cpu_detect())))


class Clock:
    """Microseconds: each look finds it `step` later."""

    def __init__(self, step: int) -> None:
        self.now, self.step = 0, step
        self.call = CLOCK(self.tick)

    def tick(self, ctx: int | None) -> int:
        self.now += self.step
        return self.now


def select(library: ctypes.CDLL, wanted: str, features: int, step: int = 700) -> tuple[int, Selection, Error]:
    out, error, clock = Selection(), Error(), Clock(step)
    code = library.kernels_select(ctypes.byref(out), wanted.encode(), features, clock.call, None, ctypes.byref(error))
    return code, out, error


def test_auto_takes_a_correct_table_that_the_cpu_has(library: ctypes.CDLL) -> None:
    code, out, _ = select(library, "auto", SSE2)
    assert code == 0
    assert [t.usable for t in out.trial] == [True, True, False, False, False]
    assert [t.correct for t in out.trial] == [True, True, False, False, False]
    assert set(out.chosen.contents.name.split(b"+")) <= {b"scalar", b"sse2"}
    code, out, _ = select(library, "auto", 0)
    assert out.chosen.contents.name == b"scalar"


def test_auto_takes_the_fastest(library: ctypes.CDLL) -> None:
    """On a clock on which each later table takes longer, the first one wins."""
    out, error = Selection(), Error()
    looks = [0]

    def slower(ctx: int | None) -> int:
        looks[0] += 1
        return looks[0] ** 3  # time between two looks grows

    keep = CLOCK(slower)
    assert library.kernels_select(ctypes.byref(out), b"auto", this_cpu(library), keep, None, ctypes.byref(error)) == 0
    assert out.chosen.contents.name == b"scalar"
    assert out.trial[0].float_rounds_s > out.trial[1].float_rounds_s


def test_auto_on_a_clock_that_stands_still_takes_the_widest(library: ctypes.CDLL) -> None:
    code, out, _ = select(library, "auto", SSE2, step=0)
    assert code == 0 and out.chosen.contents.name == b"sse2"


def test_kinds_are_chosen_apart(library: ctypes.CDLL) -> None:
    """On a clock that says so, sse2 is the faster one for floats and scalar for int8: a mixture wins."""
    out, error = Selection(), Error()
    looks = [0, 0]

    def uneven(ctx: int | None) -> int:
        """Two looks a trial, whose turns are: scalar floats, scalar int8, sse2 floats, sse2 int8."""
        slow = looks[0] // 2 % 4 in (0, 3)
        looks[1] += (5000 if slow else 500) if looks[0] % 2 else 1
        looks[0] += 1
        return looks[1]

    keep = CLOCK(uneven)
    assert library.kernels_select(ctypes.byref(out), b"auto", SSE2, keep, None, ctypes.byref(error)) == 0
    mixed = out.chosen.contents
    assert mixed.name == b"sse2+scalar"
    scalar, sse2 = (Kernels.in_dll(library, f"kernels_{name}") for name in ("scalar", "sse2"))
    for name in FUNCTIONS:
        wanted = scalar if name in ("matmul_q8_0", "matmul_q4_0", "matmul_q8_g") else sse2
        assert getattr(mixed, name) == getattr(wanted, name), name


def test_two_tables_of_one_speed_are_not_mixed(library: ctypes.CDLL) -> None:
    """Every trial takes as long as the others, but for one microsecond."""
    out, error = Selection(), Error()
    looks = [0, 0]

    def alike(ctx: int | None) -> int:
        looks[1] += 500 + looks[0] % 3
        looks[0] += 1
        return looks[1]

    keep = CLOCK(alike)
    assert library.kernels_select(ctypes.byref(out), b"auto", this_cpu(library), keep, None, ctypes.byref(error)) == 0
    widest = [t.table.contents.name for t in out.trial if t.correct][-1]
    assert out.chosen.contents.name == widest


@pytest.mark.parametrize("name", list(NEEDS))
def test_a_named_table(library: ctypes.CDLL, name: str) -> None:
    features = this_cpu(library)
    if features & NEEDS[name] != NEEDS[name]:
        pytest.skip(f"this CPU lacks {name}")
    code, out, _ = select(library, name, features)
    assert code == 0 and out.chosen.contents.name == name.encode()
    assert sum(t.correct for t in out.trial) == 1, "only the named one is tried"


@pytest.mark.parametrize("name", ["a", "AVX2", "avx", "avx2 ", "", "autoo", "avx5122"])
def test_unknown_names(library: ctypes.CDLL, name: str) -> None:
    code, _, error = select(library, name, this_cpu(library))
    assert code == error.code == 5  # E_RANGE
    known = "auto, scalar, sse2, avx2, avx512 and avx512vnni"
    assert error.text.decode() == f"no kernel is called {name}; there are {known}"


def test_a_named_table_that_this_cpu_lacks(library: ctypes.CDLL) -> None:
    code, _, error = select(library, "avx512", WITH_AVX2)
    assert code == 4  # E_UNSUPPORTED
    assert error.text.decode() == "kernel avx512 needs instructions that this CPU, or its XCR0, lacks"
