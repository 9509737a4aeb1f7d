"""Scripted boots: what is typed, printed and reported."""

from __future__ import annotations

import subprocess
import time

import pytest

from tests.qemu.conftest import Bed

CHAT = {"tcg": "chat"}
TEXT = "Hello and café seed=7\nend."


def test_stdout_is_the_text_and_boot_json_has_every_field(bed: Bed) -> None:
    before = bed.digest()
    code, out, err = bed.boot(CHAT, "accel=tcg", "prompt=Hello", "seed=7", "temp=0", "tokens=5", "top_k=3", "top_p=0.5",
                              "smp=2")
    assert (code, out.decode(), err) == (0, TEXT, "")
    assert bed.typed == ["/script", "/temp 0", "/top_k 3", "/top_p 0.5", "/max_tokens 5", "/seed 7", "Hello", "/quit"]
    report = bed.report
    assert report.pop("boot_ms") > 0
    assert report["attempts"].pop()["seconds"] > 0 and report.pop("attempts") == []
    assert report == {"accel_requested": "tcg", "accel_used": "tcg", "smp": 2, "cpu_features": ["sse2", "avx", "avx2"],
                      "kernel": "avx2", "prompt_tokens": 3, "tokens": 5, "tok_s": 100.0, "text": TEXT, "exit": 0}
    assert bed.digest() == before
    assert sorted(path.name for path in bed.image.parent.iterdir()) == ["a,b.img", "boot.json"]


def test_several_prompts_in_one_boot(bed: Bed) -> None:
    (bed.folder / "list.txt").write_text("One\n\nTwo \n/three\n")
    code, out, _ = bed.boot(CHAT, "accel=tcg", "prompts=list.txt")
    assert code == 0
    assert bed.typed == ["/script", "/seed 1", "One", "/seed 1", "Two ", "/seed 1", "//three", "/quit"]
    assert len(bed.starts) == 1
    report = bed.report
    assert [reply["prompt"] for reply in report["replies"]] == ["One", "Two ", "/three"]
    assert [reply["text"] for reply in report["replies"]] == [f"{p} and café seed=1\nend." for p in
                                                              ("One", "Two ", "/three")]
    assert out.decode() == report["text"] == "".join(f"{reply['text']}\n" for reply in report["replies"])
    assert (report["tokens"], report["prompt_tokens"], report["tok_s"]) == (15, 9, 100.0)


def test_text_streams_as_it_comes(bed: Bed) -> None:
    running = bed.start({"tcg": "hang"}, "accel=tcg", "prompt=Hello", "timeout=30")
    try:
        assert running.stdout is not None
        assert running.stdout.read(9) == b"Hello and"
        assert running.poll() is None
    finally:
        running.terminate()
        running.communicate(timeout=20)


@pytest.mark.parametrize(("behaviour", "during", "last"), [
    ("hang", "after 'Hello'", "Hello and café"), ("no-prompt", "before the program's prompt", "[keys] Esc")])
def test_a_hung_guest_ends_at_its_timeout(bed: Bed, behaviour: str, during: str, last: str) -> None:
    started = time.monotonic()
    code, out, err = bed.boot({"tcg": behaviour}, "accel=tcg", "prompt=Hello", "timeout=2")
    assert 2.0 <= time.monotonic() - started < 6.0
    assert code == 1
    lines = err.splitlines()
    assert lines[0] == (f"error: the guest hung {during}: it was ended at timeout=2 s; "
                        "the last of the serial line:")
    assert any(line.startswith("  | ") and last in line for line in lines[1:-1])
    assert lines[-1].startswith("hint: ")
    assert bed.report["exit"] == 1


def test_a_guest_that_talks_for_ever_ends_at_its_timeout(bed: Bed) -> None:
    code, _, err = bed.boot({"tcg": "babble"}, "accel=tcg", "prompt=Hello", "timeout=2")
    assert code == 1 and "it was ended at timeout=2 s" in err


def test_a_program_that_refuses_a_setting(bed: Bed) -> None:
    code, _, err = bed.boot(CHAT, "accel=tcg", "prompt=Hello", "temp=9")
    assert code == 1 and err.startswith("error: the program refused '/temp 9': no such thing\nhint: ")


@pytest.mark.parametrize("words", [("prompt=Hello",), ()])
def test_a_program_that_gives_up(bed: Bed, words: tuple[str, ...]) -> None:
    """Its own error and hint, at once: it waits for a key, which nobody here presses."""
    begun = time.monotonic()
    code, out, err = bed.boot({"tcg": "refuse"}, "accel=tcg", *words, typed=None if words else b"Hello\n")
    assert (code, out, err) == (1, b"", "error: m is not the file\nhint: write it anew\n")
    assert time.monotonic() - begun < 30  # the time-out would be 600 s


def test_a_guest_that_ends_early(bed: Bed) -> None:
    code, _, err = bed.boot({"tcg": "life:0"}, "accel=tcg", "prompt=Hello")
    assert code == 1
    assert err.startswith("error: QEMU failed before the program's prompt: QEMU ended with status 0")


def test_a_guest_that_crashes(bed: Bed) -> None:
    code, _, err = bed.boot({"tcg": "reset"}, "accel=tcg", "prompt=Hello")
    assert code == 1
    assert err.startswith("error: QEMU failed before the program's prompt: the guest reset itself, as after a crash")


def test_two_at_once(bed: Bed) -> None:
    both = [bed.start(CHAT, "accel=tcg", "prompt=Hello") for _ in range(2)]
    assert [one.communicate(timeout=30)[0] for one in both] == ["Hello and café seed=?\nend.".encode()] * 2


def test_a_reader_that_goes_away(bed: Bed) -> None:
    """`… | head -c 5`: no traceback."""
    (bed.folder / "list.txt").write_text("Hello\n" * 50)
    running = bed.start(CHAT, "accel=tcg", "prompts=list.txt", stderr=subprocess.PIPE)
    assert running.stdout is not None and running.stderr is not None
    running.stdout.read(5)
    running.stdout.close()
    assert running.wait(30) == 141
    assert running.stderr.read() == b""
    running.stderr.close()


@pytest.mark.parametrize(("environ", "what"), [
    ({"PATH": "/nowhere"}, "error: no QEMU: qemu-system-x86_64 is not in PATH"),
    ({"INGOT_QEMU": "/nowhere/qemu"}, "error: INGOT_QEMU=/nowhere/qemu is not a program"),
    ({"INGOT_OVMF": "/nowhere"}, "error: ovmf=/nowhere: no such file"),
])
def test_what_is_missing_is_named_with_its_mend(bed: Bed, environ: dict[str, str], what: str) -> None:
    shown = subprocess.run(bed.command("accel=tcg", "prompt=x"), env={**bed.environ, **environ}, cwd=bed.folder,
                           capture_output=True, text=True, timeout=30, check=False)
    assert shown.returncode == 1
    assert shown.stderr.splitlines()[0] == what
    assert shown.stderr.splitlines()[1].startswith("hint: ") and len(shown.stderr.splitlines()) == 2
