"""`ingot --chat`: the loop that the EFI program runs, over pipes and over a terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.engine import models
from tests.host.conftest import SHAPE, TENSORS, Run, model_that_says

STX, ETX, ENQ = b"\x02", b"\x03", b"\x05"

Talk = Callable[..., list[bytes]]


@pytest.fixture
def talk(run: Run, tiny: Path) -> Talk:
    """What is said after each line of input: the banner first, then one part for each prompt."""

    def parts(typed: bytes, *words: str) -> list[bytes]:
        return run(tiny, "--chat", "-t", "0", "--tokens", "5", "-s", "1", *words, stdin=typed).stdout.split(b"\n> ")

    return parts


def reply(run: Run, model: Path, prompt: str, *words: str) -> bytes:
    """The text that the program prints without a chat."""
    return run(model, "-i", prompt, "-t", "0", "--tokens", "5", *words).stdout


def test_banner(talk: Talk) -> None:
    lines = talk(b"")[0].decode().splitlines()
    assert [line.split(" ")[0] for line in lines] == ["[cpu]", "[model]", "[memory]", "[keys]"]
    assert re.fullmatch(r"\[cpu\] vendor=\w+ features=sse2[\w,]* kernel=(scalar|sse2|avx2|avx512|avx512vnni)", lines[0])
    params = sum(tensor.size for tensor in TENSORS.values())
    assert lines[1].startswith(f"[model] name=tiny params={params} context=16 tokenizer=bytes ")
    kv = 2 * SHAPE.layers * SHAPE.context * SHAPE.width * 4
    assert f"weights={params * 4} kv={kv} " in lines[2]
    assert "/quit" in lines[3]


def test_reply_is_prompt_and_continuation(talk: Talk, run: Run, tiny: Path) -> None:
    parts = talk(b"Once\r")
    said, stats = parts[1].rsplit(b"[stats] ", 1)
    assert said == b"Once\n" + reply(run, tiny, "Once") + b"\n"
    assert re.fullmatch(rb"tokens=5 time_ms=\d+ tok_s=\d+\.\d prompt_tokens=4\n", stats)


def test_each_prompt_starts_anew_and_the_seed_goes_on(talk: Talk, run: Run, tiny: Path) -> None:
    warm = b"/temp 1\r/stats off\r"
    once = talk(warm + b"/seed 7\rOnce\rOnce\r/seed 7\rOnce\r")
    first, second, third = once[4], once[5], once[7]
    assert first == third != second
    assert first == b"Once\n" + reply(run, tiny, "Once", "-t", "1", "-s", "7") + b"\n"


def test_end_of_input_ends_it(talk: Talk) -> None:
    assert talk(b"/seed")[1] == b"/seedseed=1\n"  # the unfinished line counts
    assert len(talk(b"\x04ignored")) == 2
    assert len(talk(b"x\x04\x15/quit\rignored")) == 2  # not on a line that is begun


@pytest.mark.parametrize(("typed", "said"), [
    (b"/temp", b"temp=0\n"), (b"/temp 0.8", b"temp=0.8\n"), (b"/temp  1.5  ", b"temp=1.5\n"),
    (b"/top_k", b"top_k=0\n"), (b"/top_k 40", b"top_k=40\n"), (b"/top_p", b"top_p=0.9\n"),
    (b"/top_p 0.05", b"top_p=0.05\n"), (b"/seed 18446744073709551615", b"seed=18446744073709551615\n"),
    (b"/max_tokens 1000000", b"max_tokens=1000000\n"), (b"/stats", b"stats=on\n"), (b"/stats off", b"stats=off\n"),
    (b"/temp hot", b"error: temp must be a number from 0 to 100, not hot\n"),
    (b"/temp 101", b"error: temp must be a number from 0 to 100, not 101\n"),
    (b"/temp -1", b"error: temp must be a number from 0 to 100, not -1\n"),
    (b"/temp 0.5 0.6", b"error: temp must be a number from 0 to 100, not 0.5 0.6\n"),
    (b"/top_p 1.01", b"error: top_p must be a number from 0 to 1, not 1.01\n"),
    (b"/top_k -1", b"error: top_k must be a whole number from 0 to 1000000, not -1\n"),
    (b"/max_tokens 0", b"error: max_tokens must be a whole number from 1 to 1000000, not 0\n"),
    (b"/min_p 0.05", b"min_p=0.05\n"), (b"/repeat 1.1", b"repeat=1.1\n"), (b"/norepeat 3", b"norepeat=3\n"),
    (b"/loop 4", b"loop=4\n"), (b"/stop_you", b"stop_you=off\n"), (b"/stop_nl on", b"stop_nl=on\n"),
    (b"/stop_nl yes", b"error: stop_nl must be on or off, not yes\n"),
    (b"/stop_yuo", b"error: no command /stop_yuo; nearest: /stop_you\n"),
    (b"/budget decode", b"error: budget must be strict on|off, prefill N or decode N, not: decode\n"),
    (b"/budget strict 1", b"error: budget must be strict on|off, prefill N or decode N, not: strict 1\n"),
    (b"/budget depth 1", b"error: budget must be strict on|off, prefill N or decode N, not: depth 1\n"),
    (b"/stats maybe", b"error: stats must be on or off, not: maybe\n"),
    (b"/quit now", b"error: a command that takes no value: /quit\n"),
    (b"/tmep", b"error: no command /tmep; nearest: /temp\n"),
    (b"/tem 0.5", b"error: no command /tem; nearest: /temp\n"),
    (b"/t", b"error: no command /t; nearest: /ctx\n"),
    (b"/tempo 1", b"error: no command /tempo; nearest: /temp\n"),
    (b"/TEMP 1", b"error: no command /TEMP; nearest: /temp\n"),
    (b"/quti", b"error: no command /quti; nearest: /quit\n"),
    (b"/max_token 3", b"error: no command /max_token; nearest: /max_tokens\n"),
    (b"/\xc3\xa9", b"error: no command /??; nearest: /cpu\n"),
])
def test_commands(talk: Talk, typed: bytes, said: bytes) -> None:
    parts = talk(typed + b"\r/quit\r")
    assert parts[1] == typed + b"\n" + said
    assert len(parts) == 3


def test_settings_hold(talk: Talk, run: Run, tiny: Path) -> None:
    parts = talk(b"/max_tokens 3\r/temp 1\r/top_k 2\r/top_p 1\r/seed 4\r/stats off\rOnce\r")
    expected = reply(run, tiny, "Once", "--tokens", "3", "-t", "1", "--top-k", "2", "-p", "1", "-s", "4")
    assert parts[7] == b"Once\n" + expected + b"\n"


def test_settings_reach_the_sampler(run: Run, tmp_path: Path) -> None:
    """Of a model that says but one letter, greedily: each setting that forbids it."""
    model = model_that_says(tmp_path, b"a" * 20)
    for setting in (b"/norepeat 2", b"/loop 3"):
        parts = run(model, "--chat", "-t", "0", "--tokens", "10",
                    stdin=b"/stats off\ra\r" + setting + b"\ra\r").stdout.split(b"\n> ")
        assert parts[2] == b"a\n" + b"a" * 11 + b"\n"
        assert b"a" * 11 not in parts[4].split(b"\n", 1)[1]


@pytest.mark.parametrize(("setting", "said", "shown", "tokens"), [
    (b"/stop_nl on", b"one\ntwo\n\nthree", b"one\ntwo", 9),
    (b"/stop_nl on", b"one\nYou: b\n", b"one\nYou: b\n", 20),
    (b"/stop_you on", b"one\nYou: b", b"one", 8),
    (b"/stop_you on", b"a\n\nYo\nYou:", b"a\n\nYo", 10),
    (b"/stop_you on", b"a\nYou\xc3\xa9\nYo\xc3", "a\nYoué\nYo\ufffd".encode(), 20),
    (b"/stop_you off", b"one\nYou: b\n\nc", b"one\nYou: b\n\nc", 20),
])
def test_stop_sequences(run: Run, tmp_path: Path, setting: bytes, said: bytes, shown: bytes, tokens: int) -> None:
    """A reply ends before one; what only begins like one is shown, at the end too."""
    model = model_that_says(tmp_path, said + b"\0" if tokens == 20 else said + b"more")
    parts = run(model, "--chat", "-t", "0", "--tokens", "20", stdin=setting + b"\rx\r/seed\r").stdout.split(b"\n> ")
    text, stats = parts[2].split(b"\n[stats] ")
    assert text == b"x\nx" + shown
    assert stats.startswith(b"tokens=%d " % (tokens if tokens < 20 else len(said)))
    assert parts[3].startswith(b"/seed\nseed=")


def test_stop_sequences_leave_the_prompt_alone(run: Run, tmp_path: Path) -> None:
    model = model_that_says(tmp_path, b"........abc")
    said = run(model, "--chat", "-t", "0", "--tokens", "3",
               stdin=b"/script\r/stop_nl on\r/stop_you on\ra\n\nb\nYou:\r").stdout
    assert STX + b"a\n\nb\nYou:abc" + ETX in said


def test_failsafe_ends_one_turn(talk: Talk, run: Run, tiny: Path) -> None:
    parts = talk(b"/stats off\r/test_failsafe\rOnce\rOnce\r/log\r")
    assert re.fullmatch(rb"Once\nOnce\n\[stopped\] prefill took \d+ us a token, budget \d+\n", parts[3])
    assert parts[4] == b"Once\n" + reply(run, tiny, "Once") + b"\n"
    assert re.search(rb"\] warning: \[stopped\] prefill took ", parts[5])


def test_budgets(talk: Talk, run: Run, tiny: Path) -> None:
    """Learnt, and without strict never more than counted; strictly, the reply ends. 5 s: no machine is so slow."""
    parts = talk(b"/stats off\r/budget\rOnce\r/budget\r/budget decode 1\rOnce\r"
                 b"/budget prefill 5000000\r/budget decode 5000000\r/budget strict on\rOnce\r/budget decode 0\r")
    whole = b"Once\n" + reply(run, tiny, "Once") + b"\n"
    assert parts[2] == b"/budget\nsentinel=on strict=off prefill_us=unknown decode_us=unknown raised=0 overruns=0\n"
    assert parts[3] == whole
    assert re.search(rb"strict=off prefill_us=\d+ decode_us=\d+ ", parts[4])
    assert parts[5].endswith(b"decode_us=1 raised=0 overruns=0\n")
    assert parts[6] == whole
    assert parts[9].endswith(b" strict=on prefill_us=5000000 decode_us=5000000 raised=0 overruns=0\n")
    assert parts[10] == whole
    assert b" decode_us=unknown " in parts[11]


def test_a_strict_budget(run: Run, tmp_path: Path) -> None:
    """A model that surely takes more than 1 us a token."""
    shape = models.Shape(context=16, layers=4, heads=4, width=256, hidden=1024)
    model = tmp_path / "m.gguf"
    model.write_bytes(models.model_bytes(shape, models.random_tensors(shape)))
    typed = b"/budget strict on\r/budget decode 1\r/budget prefill 5000000\rOnce\r/budget strict off\rOnce\r/log\r"
    parts = run(model, "--chat", "-t", "0", "--tokens", "5", stdin=typed).stdout.split(b"\n> ")
    assert re.match(rb"Once\nOnce\n\[stopped\] decode took \d+ us a token, budget 1\n\[stats\] tokens=0 ", parts[4])
    assert b"[stopped]" not in parts[6]
    assert re.search(rb"\[\d+\.\d{6}\] (warning: overrun|info: raised): decode took \d+ us a token, ", parts[7])


def test_log(talk: Talk) -> None:
    lines = talk(b"Once\r/tmep 1\r/log\r")[3].decode().splitlines()[1:]
    said = [line.split("] ", 1)[1] for line in lines if "raised: " not in line and "overrun: " not in line]
    assert said[0] == "info: turn begins: prompt_tokens=4"
    assert said[1].startswith("info: [stats] tokens=5 time_ms=")
    assert said[2:] == ["error: no command /tmep; nearest: /temp"]
    assert talk(b"/log\r")[1] == b"/log\n"


def test_the_log_keeps_the_newest(talk: Talk) -> None:
    lines = talk(b"/script\r" + b"/x\r" * 600 + b"/yy\r/log\r")[1].split(ENQ)[-2].splitlines()
    assert len(lines) == (65536 - 64) // 128
    assert b"no command /x;" in lines[0]
    assert b"no command /yy;" in lines[-1]


def test_memory_is_told_whole(talk: Talk) -> None:
    sizes = {name: int(size) for name, size in re.findall(r"(\w+)=(\d+)", talk(b"")[0].decode().splitlines()[2])}
    assert sizes["zonec"] == 65536
    assert sizes["total"] == sum(sizes[name] for name in ("kv", "acts", "scratch", "zonec"))


def test_seed_from_the_clock_is_told(talk: Talk, run: Run, tiny: Path) -> None:
    parts = talk(b"/stats off\r/temp 1\r/seed 0\rOnce\r")
    seed = parts[3].split(b"seed=")[1].strip().decode()
    assert seed != "0"
    assert parts[4] == b"Once\n" + reply(run, tiny, "Once", "-t", "1", "-s", seed) + b"\n"


def test_help_lists_every_command(talk: Talk) -> None:
    said = talk(b"/help\r/quit\r")[1].decode()
    assert all(len(line) <= 120 for line in said.splitlines())
    for name in ("help", "temp", "top_k", "top_p", "min_p", "repeat", "norepeat", "loop", "seed", "max_tokens",
                 "stop_you", "stop_nl", "stats", "model", "cpu", "budget", "test_failsafe", "log", "clear", "demo",
                 "quit", "script", "attn", "ctx", "zones", "bench", "version", "system", "reset", "save",
                 "load", "render", "draw", "save_img"):
        assert re.search(rf"^  /{name} ", said, re.M)


def test_model_and_cpu(talk: Talk) -> None:
    banner, model, cpu, version, _ = talk(b"/model\r/cpu\r/version\r/quit\r")
    assert model.split(b"\n", 1)[1].splitlines() == [b"* tiny  0.1 MiB", *banner.splitlines()[1:3]]
    assert cpu.split(b"\n", 1)[1].splitlines() == banner.splitlines()[:1]
    assert version == b"/version\ningot test\n"


def test_demo(run: Run, tmp_path: Path) -> None:
    """Every scene has its own settings, and afterwards all is as it was."""
    shape, model = models.Shape(context=24), tmp_path / "m.gguf"
    model.write_bytes(models.model_bytes(shape, models.random_tensors(shape)))
    typed = b"/stats off\r/temp 1\r/seed 3\r/demo\rOnce\r"
    parts = run(model, "--chat", "-t", "0", "--tokens", "5", "-s", "1", stdin=typed).stdout.split(b"\n> ")
    scenes = re.split(rb"\[demo\] ([^\n]*)\n", parts[4].split(b"\n", 1)[1])
    said = dict(zip(scenes[1::2], scenes[2::2], strict=True))
    assert scenes[0] == b"" and len(said) == 6
    for about, text in said.items():
        values = dict(word.split("=") for word in about.decode().split(":")[0].split())
        if "repeat" not in values:
            prompt = "One day, a little girl" if values["temp"] == "2" else "Once upon a time"
            expected = reply(run, model, prompt, "-t", values["temp"], "-p", values.get("top_p", "1"),
                             "-s", values.get("seed", "1"))
            assert text == expected + b"\n"
    assert parts[5] == b"Once\n" + reply(run, model, "Once", "-t", "1", "-s", "3") + b"\n"


@pytest.mark.parametrize("name", ["scalar", "sse2", "auto"])
def test_attn(talk: Talk, run: Run, tiny: Path, name: str) -> None:
    """Exact names alone; the text is the same."""
    parts = talk(b"/stats off\r/attn %s\r/attn\r/cpu\rOnce\r" % name.encode())
    used = parts[3].split(b"attn=")[1].strip().decode()
    assert used == name or name == "auto"
    assert parts[2].endswith(f"\nattn={used}\n".encode()) and parts[4].endswith(f" kernel={used}\n".encode())
    assert parts[5] == b"Once\n" + reply(run, tiny, "Once") + b"\n"


@pytest.mark.parametrize("name", ["a", "avx", "avx22", "AVX2", "s", "scalar sse2", "x" * 40])
def test_attn_takes_exact_names(talk: Talk, name: str) -> None:
    parts = talk(b"/attn scalar\r/attn " + name.encode() + b"\r/attn\r")
    assert b"\nerror: no kernel is called " in parts[2]
    assert parts[3] == b"/attn\nattn=scalar\n"


def test_ctx(talk: Talk) -> None:
    """A context of 16 with learned positions: when it is full, the older half goes."""
    parts = talk(b"/ctx\rOnce\r/ctx\r/max_tokens 30\rOnce\r/ctx\r")
    assert parts[1] == b"/ctx\n[ctx] used=0 context=16 slid=0 turns=0\n"
    assert parts[3] == b"/ctx\n[ctx] used=8 context=16 slid=0 turns=1\n"
    assert parts[6] == b"/ctx\n[ctx] used=9 context=16 slid=24 turns=2\n"


def test_zones(talk: Talk) -> None:
    banner, zones, _ = talk(b"/zones\r/quit\r")
    sizes = dict(re.findall(r"(\w+)=(\d+)", banner.decode().splitlines()[2]))
    lines = zones.decode().splitlines()[1:]
    assert lines[0] == f"weights  where they were read to, size={sizes['weights']}"
    assert [line.split()[0] for line in lines[1:]] == ["kv", "acts", "scratch", "zonec"]
    for line in lines[1:]:
        name, base, size, used = line.split()
        assert re.fullmatch(r"base=0x[0-9a-f]{16}", base) and int(base[7:], 16) % 64 == 0
        assert size == f"size={sizes[name]}" and 0 < int(used[5:]) <= int(sizes[name])


def test_bench(run: Run, tiny: Path, tmp_path: Path) -> None:
    out = run(tiny, "--chat", "-t", "0", stdin=b"/stats off\r/temp 1\r/seed 5\rOnce\r/seed 5\r/bench\rOnce\r",
              cwd=tmp_path).stdout.split(b"\n> ")
    lines = out[6].decode().splitlines()
    assert lines[3].startswith("[saved] bench.json ")
    found = json.loads(lines[2])
    assert json.loads((tmp_path / "bench.json").read_text()) == found
    assert list(found) == ["model", "kernel", "threads", "prefill_tok_s", "decode_tok_s", "bytes_per_token"]
    assert found["model"] == "tiny" and min(found["prefill_tok_s"], found["decode_tok_s"]) > 0
    assert out[7] == out[4]  # it leaves settings and random numbers alone


def test_bench_is_stopped(run: Run, tiny: Path, tmp_path: Path) -> None:
    out = run(tiny, "--chat", stdin=b"/bench\r\x1b", cwd=tmp_path).stdout
    assert b"\n[stopped]\n" in out and not (tmp_path / "bench.json").exists()


def test_a_slash_for_the_model(talk: Talk, run: Run, tiny: Path) -> None:
    parts = talk(b"/stats off\r//temp 1\r")
    assert parts[2] == b"//temp 1\n" + reply(run, tiny, "/temp 1") + b"\n"


def test_empty_lines_say_nothing(talk: Talk) -> None:
    assert talk(b"\r\n\r")[1:] == [b"\n", b"\n", b""]  # CR LF is one end


@pytest.mark.parametrize(("typed", "echo", "line"), [
    (b"Onx\x08ce", b"Onx\b \bce", "Once"),
    (b"Onx\x7fce", b"Onx\b \bce", "Once"),
    ("On\u20ac\x7fce".encode(), "On\u20ac\b \bce".encode(), "Once"),
    ("🙂é\x7f\x7f\x7fOnce".encode(), "🙂é\b \b\b\b  \b\bOnce".encode(), "Once"),
    (b"junk\x15Once", b"junk\b\b\b\b    \b\b\b\bOnce", "Once"),
    (b"junk\x03Once", b"junk\b\b\b\b    \b\b\b\bOnce", "Once"),
    (b"On\x1b[5~\x1b[1;5Pc\x1bOPe\x1bxOnce\x1b[3~", b"OnceOnce", "OnceOnce"),
    (b"\x00\x02O\x02n\tc\x1ae\x7f\xe2", "On ce\b \b\ufffd".encode(), "On\tc\ufffd"),
    (b"One\x1b[Dc\x1b[H\x1b[3~\x1b[C", b"One\b\b\bnce\b\b", "nce"),
    (b"/x\x01\x0bOnce", b"/x\b\bOnce", "Once"),
    (b"Onc\xe2\x7fe", b"Once", "Once"),
])
def test_line_editing(talk: Talk, run: Run, tiny: Path, typed: bytes, echo: bytes, line: str) -> None:
    parts = talk(b"/stats off\r" + typed + b"\r")
    assert parts[2] == echo + b"\n" + reply(run, tiny, line) + b"\n"


def test_the_escape_key_alone_eats_nothing(ingot: Path, tiny: Path) -> None:
    with subprocess.Popen([ingot, tiny, "--chat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdin and program.stdout
        until(program.stdout.fileno(), b"\n> ")
        program.stdin.write(b"\x1b")
        program.stdin.flush()
        time.sleep(0.3)  # longer than a sequence may take
        out = program.communicate(b"/seed 5\r/quit\r")[0]
    assert out.startswith(b"/seed 5\nseed=5\n")


def test_a_line_has_an_end(talk: Talk, run: Run, tiny: Path) -> None:
    """The bell rings for what does not fit, and the line is refused; the prompt comes back."""
    long = b"a" * 16384
    parts = talk(b"/stats off\r/max_tokens 1\r" + long + b"bc\r")
    assert parts[3] == long + b"\a\nerror: a line of more than 16384 bytes\n"
    parts = talk(b"/stats off\r/max_tokens 1\r" + long + b"\r" + long + b"b\x15Once\r")
    assert parts[3] == long + b"\n\nerror: the prompt has 16384 tokens; the context holds 16\n"
    assert parts[4] == long + b"\a"
    assert parts[5] == b"Once\n" + reply(run, tiny, "Once", "--tokens", "1") + b"\n"  # in a new row
    assert talk(b"/script\r" + long + b"bc\r/seed\r")[1].endswith(
        ENQ + b"error: a line of more than 16384 bytes\n" + ENQ + b"seed=1\n" + ENQ)


@pytest.mark.parametrize(("typed", "shown", "line"), [
    (b"one\\\rtwo\r", b"one\\\n. two\n", "one\ntwo"),
    (b"one\\\r\\\rtwo\r", b"one\\\n. \\\n. two\n", "one\n\ntwo"),
    (b"one\\\rtwo;;\r", b"one\\\n. two;;\n", "one\ntwo"),
    (b"one\\\r;;\r", b"one\\\n. ;;\n", "one"),
    (b"one\\\rtwo\\;;\r", b"one\\\n. two\\;;\n", "one\ntwo\\"),
    (b"one\\\r\x7f\x7f\x15two\r", b"one\\\n. two\n", "one\ntwo"),
    (b"one;;\r", b"one;;\n", "one;;"),
    (b"one\\ \r", b"one\\ \n", "one\\ "),
])
def test_a_text_of_several_lines(talk: Talk, run: Run, tiny: Path, typed: bytes, shown: bytes, line: str) -> None:
    parts = talk(b"/stats off\r" + typed)
    assert parts[2] == shown + reply(run, tiny, line) + b"\n"


def test_a_text_of_several_lines_is_given_up(talk: Talk, run: Run, tiny: Path) -> None:
    parts = talk(b"/stats off\rone\\\rtwo\x03Once\r")
    assert parts[2] == b"one\\\n. two\b\b\b   \b\b\b\n"
    assert parts[3] == b"Once\n" + reply(run, tiny, "Once") + b"\n"


def test_earlier_lines(talk: Talk) -> None:
    assert talk(b"/seed 5\r/seed 6\r/seed 7\r\x1b[A\x1b[A\x1b[A\x1b[B\r")[4].endswith(b"/seed 6\nseed=6\n")
    assert talk(b"/script\r\x1b[A\r")[1].count(b"/script") == 1  # not for programs


def test_framing_for_programs(run: Run, tiny: Path) -> None:
    typed = b"/script\r/stats off\rOnce\nupon\r\r/tmep\r//x\r/quit\r"
    out = run(tiny, "--chat", "-t", "0", "--tokens", "5", stdin=typed).stdout
    after = out.split(b"\n> /script\n")[1]

    def framed(prompt: str) -> bytes:
        return STX + reply(run, tiny, prompt) + ETX + b"\n"

    assert after == ENQ + ENQ.join([b"stats=off\n", framed("Once\nupon"), framed(""),
                                    b"error: no command /tmep; nearest: /temp\n", framed("/x"), b""])


def test_framed_stats(run: Run, tiny: Path) -> None:
    out = run(tiny, "--chat", "-t", "0", "--tokens", "5", stdin=b"/script\rOnce\r").stdout
    assert re.search(rb"\x05\x02Once[^\x02\x03\x05]*\x03\n\[stats\] tokens=5 time_ms=\d+ tok_s=\d+\.\d "
                     rb"prompt_tokens=4\n\x05$", out)


def test_framing_cannot_be_broken_by_the_model(run: Run, tmp_path: Path) -> None:
    """A model that says STX, ETX and ENQ: the engine drops them."""
    tensors = {name: np.zeros_like(t) for name, t in TENSORS.items()}
    tensors["output_norm.bias"] += 1
    tensors["token_embd.weight"][2:6] = 1
    model = tmp_path / "m.gguf"
    model.write_bytes(models.model_bytes(SHAPE, tensors))
    out = run(model, "--chat", "-s", "1", "--tokens", "50", stdin=b"/script\ra\r/quit\r").stdout
    assert out.split(b"/script\n")[1].startswith(ENQ + STX + b"a" + ETX + b"\n[stats] tokens=50 ")


def test_prompt_comes_back_after_an_error(run: Run, tmp_path: Path) -> None:
    tensors = {**TENSORS, "output_norm.bias": np.full(SHAPE.width, np.nan, np.float32)}
    model = tmp_path / "nan.gguf"
    model.write_bytes(models.model_bytes(SHAPE, tensors))
    parts = run(model, "--chat", stdin=b"Hi\r/seed 3\r/quit\r").stdout.split(b"\n> ")
    assert parts[1].startswith(b"Hi\nHi\nerror: the model gives a logit that is no finite number\n")
    assert parts[2] == b"/seed 3\nseed=3\n"


@pytest.mark.parametrize("key", [b"\x1b", b"\x03"])
def test_a_key_stops_the_reply(run: Run, tiny: Path, key: bytes) -> None:
    out = run(tiny, "--chat", "--tokens", "1000000", stdin=b"Once\r" + key).stdout
    assert b"\n[stopped]\n[stats] tokens=" in out


def test_what_is_typed_after_escape_is_kept(run: Run, tiny: Path) -> None:
    typed = b"Once\r\x1b/seed 8\r/quit\r"
    parts = run(tiny, "--chat", "--tokens", "1000000", stdin=typed).stdout.split(b"\n> ")
    assert b"\n[stopped]\n" in parts[1]
    assert parts[2] == b"/seed 8\nseed=8\n"


def test_type_ahead_survives_a_reply(talk: Talk) -> None:
    """Keys that do not stop it are for the next line, arrows are nobody's."""
    parts = talk(b"Once\r\x1b[A/seed 8\r/quit\r")
    assert b"[stopped]" not in parts[1]
    assert parts[2] == b"/seed 8\nseed=8\n"


@pytest.fixture
def terminal(ingot: Path, tiny: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The chat on a terminal of its own: the program, and the terminal's other end."""
    other, own = pty.openpty()
    argv: list[str | Path] = [ingot, tiny, "--chat", "-t", "0", "--tokens", "1000000"]
    program = subprocess.Popen(argv, stdin=own, stdout=own, stderr=own,
                               start_new_session=True)
    os.close(own)
    yield program, other
    program.kill()
    program.wait()
    os.close(other)


def until(fd: int, what: bytes) -> bytes:
    """Reads the terminal until it says so."""
    seen, end = b"", time.monotonic() + 30
    while what not in seen:
        assert time.monotonic() < end, seen[-400:]
        if select.select([fd], [], [], 1)[0]:
            seen += os.read(fd, 65536)
    return seen


def test_on_a_terminal(terminal: tuple[subprocess.Popen[bytes], int]) -> None:
    program, fd = terminal
    until(fd, b"> ")
    cooked = termios.tcgetattr(fd)
    os.write(fd, b"Onx\x7fce\r")
    until(fd, b"Onx\b \bce\r\nOnce")
    os.write(fd, b"\x03")  # stops the reply, not the program
    assert b"[stopped]" in until(fd, b"\n> ")
    assert program.poll() is None
    os.write(fd, b"/quit\r")
    assert program.wait(30) == 0
    assert termios.tcgetattr(fd)[3] & termios.ECHO  # as it was before
    assert not cooked[3] & (termios.ECHO | termios.ICANON | termios.ISIG)
