"""The rules that need no QEMU: attempts, argv, failures, the memory, the protocol, the report."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.qemu.conftest import ROOT
from toolchain.errors import UserError
from toolchain.qemu import display, life, protocol
from toolchain.qemu.attempts import Attempt, cpu_argument, own_accelerator, plan
from toolchain.qemu.binary import Qemu
from toolchain.qemu.firmware import Firmware
from toolchain.qemu.machine import Machine, command
from toolchain.qemu.memo import Memo
from toolchain.qemu.protocol import End, Framing, Line, Ready, Text
from toolchain.qemu.report import Reply, Report, Tried
from toolchain.qemu.run import summary

# -- attempts --


@pytest.mark.parametrize(("platform", "arch", "own"), [
    ("linux", "x86_64", "kvm"), ("win32", "AMD64", "whpx"), ("darwin", "x86_64", "hvf"), ("darwin", "arm64", None),
    ("linux", "aarch64", None), ("freebsd14", "amd64", None)])
def test_own_accelerator(platform: str, arch: str, own: str | None) -> None:
    assert own_accelerator(platform, arch) == own


def test_plans() -> None:
    def names(*args: str, fallback: bool = True, own: str | None = "kvm") -> list[str]:
        return [f"{one.accel} {one.cpu}" for one in plan(*args, fallback=fallback, own=own)]

    assert names("auto", "auto", "auto") == ["kvm host", "tcg max"]
    assert names("auto", "auto", "auto", own=None) == ["tcg max"]
    assert names("auto", "auto", "auto", fallback=False) == ["kvm host"]
    assert names("tcg", "auto", "auto") == ["tcg max"]
    assert names("tcg", "host", "on") == ["tcg max,avx2=on,fma=on"]
    assert names("kvm", "qemu64", "on") == ["kvm qemu64,avx2=on,fma=on", "kvm qemu64", "tcg qemu64,avx2=on,fma=on"]
    assert names("whpx", "auto", "auto", fallback=False) == ["whpx qemu64"]
    assert cpu_argument("hvf", "auto", "off") == "host,avx2=off,fma=off"
    assert cpu_argument("tcg", "host,-avx", "on") == "max,-avx,avx2=on,fma=on"


# -- argv --


def machine(**how: object) -> Machine:
    parts = {"qemu": Qemu(Path("/bin/q")), "firmware": Firmware(Path("/f/c"), Path("/f/v")), "combined": None,
             "disk": Path("/i/a,b.img"), "keep": False, "machine": "q35", "smp": 2, "mem": "2G", "display": "none"}
    return Machine(**{**parts, **how})  # type: ignore[arg-type]


def test_command() -> None:
    argv = command(machine(), Attempt("tcg", "max"), "socket,fd=5", "socket,fd=6")
    text = " ".join(argv)
    for part in ("/bin/q -name ingot", "-nodefaults", "-no-reboot", "-machine q35 -accel tcg -cpu max -smp 2 -m 2G",
                 "unit=0,readonly=on,file=/f/c", "unit=1,snapshot=on,file=/f/v",
                 "format=raw,snapshot=on,file=/i/a,,b.img", "-display none -vga none",
                 "socket,fd=5,id=serial -serial chardev:serial", "socket,fd=6,id=monitor -mon"):
        assert part in text, part


def test_command_that_keeps_and_shows() -> None:
    text = " ".join(command(machine(keep=True, display="gtk"), Attempt("kvm", "host"), "a", "b"))
    assert "snapshot=off,file=/i/a,,b.img" in text and "-display gtk -vga std" in text


def test_whpx_maps_no_flash() -> None:
    text = " ".join(command(machine(combined=Path("/t/f.fd")), Attempt("whpx", "qemu64"), "a", "b"))
    assert "-accel whpx,kernel-irqchip=off" in text and "-bios /t/f.fd" in text and "pflash" not in text


def test_displays() -> None:
    screen = {"DISPLAY": ":0"}
    assert display.choose(["none", "sdl", "gtk"], "linux", screen) == "gtk,show-menubar=off"
    assert display.choose(["none", "sdl"], "linux", {"WAYLAND_DISPLAY": "w"}) == "sdl"
    assert display.choose(["none", "cocoa"], "darwin", {}) == "cocoa"
    with pytest.raises(UserError, match="no window"):
        display.choose(["none"], "linux", screen)
    with pytest.raises(UserError, match="no screen"):
        display.choose(["gtk"], "linux", {})


# -- failures --

KVM_STOP = """qemu-system-x86_64: warning: host doesn't support requested feature: CPUID.01H:ECX.pni [bit 0]
KVM internal error. Suberror: 1
extra data[0]: 0x0000000000000001
emulation failure
EAX=00000000 EBX=00807000 ECX=00000001 EDX=00807154
ES =0008 00000000 ffffffff 00c09300 DPL=0 DS   [-WA]
Code=66 90 90 cd 03 c3
"""


@pytest.mark.parametrize(("stderr", "line", "remember"), [
    ("qemu-system-x86_64: error: failed to set MSR 0x10a to 0x69\nqemu-system-x86_64: ../../target/i386/kvm/kvm.c:3183:"
     " kvm_buf_set_msrs: Assertion `ret == cpu->kvm_msr_buf->nmsrs' failed.\n",
     "failed to set MSR 0x10a to 0x69", True),
    (KVM_STOP, "KVM internal error. Suberror: 1", True),
    (r"C:\Program Files\qemu\qemu-system-x86_64.exe: WHPX: Failed to emulate MMIO access with EmulatorReturnStatus: 2",
     "WHPX: Failed to emulate MMIO access with EmulatorReturnStatus: 2", True),
    ("qemu-system-x86_64: -accel whpx: WHPX: No accelerator found, hr=00000000",
     "WHPX: No accelerator found, hr=00000000", False),
    ("Could not access KVM kernel module: Permission denied\nqemu-system-x86_64: failed to initialize kvm: "
     "Permission denied", "Could not access KVM kernel module: Permission denied", False),
    ("qemu-system-x86_64: -accel hvf: invalid accelerator hvf", "invalid accelerator hvf", False),
    ("qemu-system-x86_64: unable to find CPU model 'typo'", "unable to find CPU model 'typo'", False),
    ("qemu-system-x86_64: cannot set up guest memory 'pc.ram': Cannot allocate memory",
     "cannot set up guest memory 'pc.ram': Cannot allocate memory", False),
    ("qemu-system-x86_64: warning: host doesn't support requested feature: X\nqemu-system-x86_64: something new",
     "something new", False),
    ("qemu-system-x86_64: Error: ret = HV_DENIED (0xfae94007, at ../accel/hvf/hvf-accel-ops.c:339)",
     "ret = HV_DENIED (0xfae94007, at ../accel/hvf/hvf-accel-ops.c:339)", False),
    ("", "QEMU ended with status 1", False),
])
def test_what_stderr_says(stderr: str, line: str, remember: bool) -> None:
    found = life.exited(1, stderr)
    assert (found.reason, found.remember) == (line, remember)


def test_a_crash_is_explicit() -> None:
    assert life.exited(-6, "").remember and life.exited(0xC0000005, "").remember
    assert not life.exited(-6, "Cannot allocate memory").remember
    assert life.exited(-6, "").reason == "QEMU ended with status signal 6"


@pytest.mark.parametrize(("code", "left"), [
    (0, True), (1, True), (2, True), (130, True), (0xC000013A, True), (0xC000013A - 2**32, True), (-2, True),
    (3, False), (-9, False), (-6, False), (134, False), (0xC0000005, False)])
def test_who_left(code: int, left: bool) -> None:
    assert life.user_left(code) == left


def test_the_one_line() -> None:
    order = plan("kvm", "auto", "on", fallback=True, own="kvm")
    bad = Tried("kvm", "exited", "no", 0.1)
    assert summary("kvm", order, [bad, Tried("kvm", "ok", "", 1)], order[1]) == (
        "accelerator: kvm -cpu host,avx2=on,fma=on failed (no), using kvm -cpu host")
    plain = plan("auto", "auto", "auto", fallback=True, own="kvm")
    assert summary("auto", plain, [Tried("kvm", "ok", "", 1)], plain[0]) == "accelerator: using kvm"
    assert summary("kvm", plain, [Tried("kvm", "ok", "", 1)], plain[0]) is None


# -- memory --


def test_memo(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "m.json"
    memo, host = Memo(path, "7.2", "Linux 6", "cpu"), Attempt("kvm", "host")
    assert memo.recall(host) is None
    memo.remember(host, "no MSR")
    assert memo.recall(host) == "no MSR" and memo.recall(Attempt("kvm", "max")) is None
    for other in (Memo(path, "7.3", "Linux 6", "cpu"), Memo(path, "7.2", "Linux 7", "cpu"),
                  Memo(path, "7.2", "Linux 6", "cpu2")):
        assert other.recall(host) is None and other.failures() == {}
    assert memo.failures() == {"kvm -cpu host": "no MSR"}
    memo.forget(host)
    assert memo.recall(host) is None
    blocked = Memo(Path("/proc/none/m.json"), "", "", "")
    blocked.remember(host, "x")  # cannot be written: no error
    assert blocked.recall(host) is None


# -- protocol --

STREAM = b"> /script\r\n\x05\x02Hi \xc3\xa9\n>\x03\r\n[stats] tokens=1\r\n\x05error: x\r\n\x05"
EVENTS = [Line("> /script"), Ready(), Text("Hi \u00e9\n>".encode()), End(), Line("[stats] tokens=1"), Ready(),
          Line("error: x"), Ready()]


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_framing_however_it_is_cut(step: int) -> None:
    framing, events = Framing(), []
    for start in range(0, len(STREAM), step):
        for event in framing.feed(STREAM[start:start + step]):
            if isinstance(event, Text) and events and isinstance(events[-1], Text):
                events[-1] = Text(events[-1].data + event.data)
            else:
                events.append(event)
    assert events == EVENTS


def test_prompt_is_seen_through_terminal_sequences() -> None:
    assert protocol.at_prompt(b"x\r\n\x1b[0m\x1b[37m> \x1b[40m")
    assert not protocol.at_prompt(b"x> ") and not protocol.at_prompt(b"\r\n> H")


def test_fields() -> None:
    text = "[cpu] kernel=sse2\nnoise\n[cpu] vendor=A features=a,b kernel=avx2\n[cpux] kernel=no"
    assert protocol.fields(text, "cpu") == {"vendor": "A", "features": "a,b", "kernel": "avx2"}
    assert protocol.fields(text, "stats") == {}


def test_a_line_that_is_written_over() -> None:
    assert protocol.plain(b"a\r\n\rload 1/9\rload 2/9\r\nb\r\r\n") == "a\nload 2/9\nb\n"


def test_failure() -> None:
    log = b"[boot] x\r\n[load] 1/9\nerror: m is wrong\r\nhint: write it anew; a key powers off\r\n"
    assert protocol.failure(log) == ("m is wrong", "write it anew")
    assert protocol.failure(log[:-2]) is None, "more may come"
    assert protocol.failure(b"no error: x\r\nhint: y\r\n") is None


def test_tail() -> None:
    log = b"".join(b"line %d\x05\r\n" % number for number in range(30))
    assert protocol.tail(log, 2) == "\n  | line 28\n  | line 29"
    assert protocol.tail(b"") == "\n  | (nothing)"


# -- report --


def test_report_sums_several() -> None:
    report = Report("auto", 1, True)
    report.replies += [Reply("a", "ab", 1, 10, 100, 100.0), Reply("b", "bc\n", 2, 30, 700, 42.9)]
    found = report.as_dict(0)
    assert (found["tokens"], found["prompt_tokens"], found["tok_s"], found["text"]) == (40, 3, 50.0, "ab\nbc\n")
    assert [reply["tok_s"] for reply in found["replies"]] == [100.0, 42.9]


# -- start-up --


def test_importing_costs_nothing() -> None:
    """Every ./doit imports the variables: no asyncio, no subprocess machinery, no qemu.qmp with them."""
    program = ("import sys, toolchain.errors\nbefore = set(sys.modules)\n"
               "import toolchain.qemu, toolchain.qemu.options\n"
               "print(*sorted(set(sys.modules) - before))")
    shown = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(shown.stdout.split()) <= {"toolchain.qemu", "toolchain.qemu.options", "dataclasses", "copy", "inspect",
                                         "ast", "dis", "opcode", "_opcode", "tokenize", "linecache", "token", "pathlib",
                                         "fnmatch", "ntpath", "urllib", "urllib.parse", "ipaddress", "weakref",
                                         "importlib.machinery", "importlib._abc"}


def test_a_line_without_an_end() -> None:
    """A guest that prints one long line: what reads it takes time that grows with it, not with its square."""
    log = b"x" * (1 << 20)
    assert protocol.plain(log) == log.decode() and protocol.failure(log) is None
    assert len(protocol.tail(log)) < 300
