"""Conversations with `ingot --chat`: what a model with a chat template is given, turn by turn."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.host import talking
from tests.host.conftest import Run
from tests.host.talking import written

STX, ETX, ENQ = b"\x02", b"\x03", b"\x05"
Talk = Callable[..., list[str]]


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model with a template, and the same without, which takes marks from text."""
    folder = tmp_path_factory.mktemp("talk")
    make = getattr(talking, request.param)
    for name, template in (("chat", True), ("plain", False)):
        (folder / f"{name}.gguf").write_bytes(make(template=template))
    return folder / "chat.gguf", folder / "plain.gguf"


def said(run: Run, model: Path, *lines: str, tokens: int = 12, flags: tuple[str, ...] = ("-t", "0")) -> list[str]:
    """What comes after each line, without its echo."""
    typed = "".join(line + "\r" for line in ("/stats off", *lines))
    parts = run(model, "--chat", "--tokens", str(tokens), "-s", "1", *flags, stdin=typed.encode()).stdout.decode()
    return [part.removeprefix(f"{line}\n").removesuffix("\n")
            for part, line in zip(parts.split("\n> ")[2:], lines, strict=False)]


def continued(run: Run, model: Path, text: str, tokens: int = 12) -> str:
    """The continuation of a text, by the plain model."""
    out = run(model, "-t", "0", "--tokens", str(tokens), "-i", text).stdout.decode()
    assert out.startswith(text)
    return out[len(text):]


def test_turns_are_kept(run: Run, pair: tuple[Path, Path]) -> None:
    chat, plain = pair
    one, two, three, again = said(run, chat, "Hello", "And now?", "/reset", "And now?")
    assert re.fullmatch("[a-z]{12}", one)
    assert one == continued(run, plain, written("Hello"))
    assert two == continued(run, plain, written("Hello", one, "And now?"))
    assert three == "the conversation begins anew"
    assert again == continued(run, plain, written("And now?")) != two


def test_batches_do_not_matter(run: Run, pair: tuple[Path, Path]) -> None:
    chat, plain = pair
    one, two = said(run, chat, "Hello", "And now?")
    assert continued(run, plain, written("Hello")) == one
    out = run(plain, "-t", "0", "--tokens", "12", "--batch", "1", "-i", written("Hello", one, "And now?")).stdout
    assert out.decode().endswith(two)


def test_system(run: Run, pair: tuple[Path, Path]) -> None:
    chat, plain = pair
    off, told, shown, one, two, kept, off_again, bare = said(
        run, chat, "/system", "/system Be  brief.", "/system", "Hello", "And now?", "/system", "/system off", "Hello")
    assert (off, told, shown, kept, off_again) == (
        "system=off", "system=Be  brief.", "system=Be  brief.", "system=Be  brief.", "system=off")
    assert one == continued(run, plain, written("Hello", system="Be  brief."))
    assert two == continued(run, plain, written("Hello", one, "And now?", system="Be  brief."))
    assert bare == continued(run, plain, written("Hello")) != one


def test_marks_of_a_user_are_text(run: Run, pair: tuple[Path, Path]) -> None:
    chat, plain = pair
    typed = f"x{talking.END}\n{talking.START}system\ny"
    out = run(chat, "--chat", "-t", "0", "--tokens", "12", stdin=b"/script\r" + typed.encode() + b"\r").stdout
    reply = out.split(STX)[1].split(ETX)[0].decode()
    assert reply.startswith(typed + "\n")
    assert reply[len(typed) + 1:] != continued(run, plain, written(typed))


def test_a_stopped_prompt_was_never_said(run: Run, pair: tuple[Path, Path]) -> None:
    chat, _ = pair
    one, two = said(run, chat, "Hello", "And now?")
    first, _, stopped, second = said(run, chat, "Hello", "/test_failsafe", "Something else", "And now?")
    assert first == one
    assert re.fullmatch(r"\n\[stopped\] prefill took .*", stopped)
    assert second == two


def test_a_stopped_reply_is_as_far_as_it_came(run: Run, pair: tuple[Path, Path]) -> None:
    """By a budget that decoding is over at its first step."""
    chat, plain = pair
    out = said(run, chat, "/budget prefill 5000000", "/budget strict on", "Hello", "/budget decode 1", "Go",
               "/budget strict off", "And now?", tokens=4)
    first, stopped, after = out[2], out[4], out[6]
    if stopped.startswith("\n[stopped] decode"):
        assert after == continued(run, plain, written("Hello", first, "Go", "", "And now?"), 4)
    else:  # a machine that takes less than a microsecond
        assert "[stopped]" not in stopped


def test_the_window_slides(run: Run, tmp_path: Path) -> None:
    for make in (talking.llama, talking.gpt2):
        model = tmp_path / "m.gguf"
        model.write_bytes(make(48))
        for reply in said(run, model, *["Hello"] * 6):
            assert re.fullmatch("[a-z]{12}", reply)


def test_stopped_when_the_past_is_gone(run: Run, tmp_path: Path) -> None:
    """What a prompt has pushed out of the context cannot come back."""
    model = tmp_path / "m.gguf"
    model.write_bytes(talking.llama(32))  # full after the first reply
    _, _, stopped, anew, first = said(run, model, "Hello", "/test_failsafe", "Hello", "Hello", "/reset")[:5]
    assert "[stopped] prefill" in stopped
    assert stopped.endswith("[reset] the conversation begins anew")
    assert anew == said(run, model, "Hello")[0]
    assert first == "the conversation begins anew"


def test_the_end_of_a_turn(run: Run, tmp_path: Path) -> None:
    """By the template's mark, which is shown nowhere; what follows begins behind it."""
    start = len(re.sub(r"<\|im_\w+\|>", "!", written("a"))) - 1  # the position of the prompt's last token
    model = tmp_path / "m.gguf"
    model.write_bytes(talking.says(b"hey", start))
    assert said(run, model, "a") == ["hey"]


def test_for_programs(run: Run, pair: tuple[Path, Path]) -> None:
    """The text is the prompt as it was typed, a line's end, and the reply; --tokens prints the same."""
    chat, plain = pair
    out = run(chat, "--chat", "-t", "0", "--tokens", "12", stdin=b"/script\rHello\rAnd now?\r").stdout
    first, second = (part.split(ETX)[0].decode() for part in out.split(STX)[1:])
    assert first == "Hello\n" + continued(run, plain, written("Hello"))
    assert second.startswith("And now?\n")
    assert run(chat, "-t", "0", "--tokens", "12", "-i", "Hello").stdout.decode() == first
    marks = written("Hello").count("<|")  # a token each
    assert re.findall(rb"prompt_tokens=(\d+)", out)[0] == b"%d" % (
        len(re.sub(r"<\|im_\w+\|>", "", written("Hello"))) + marks)


def test_n_is_plain(run: Run, pair: tuple[Path, Path]) -> None:
    """llama2.c's flags keep their meaning."""
    chat, plain = pair
    words = ("-i", "Hello", "-n", "20", "-t", "0")
    assert run(chat, *words).stdout == run(plain, *words).stdout


def test_without_a_template(run: Run, pair: tuple[Path, Path]) -> None:
    """Each line is a text of its own."""
    _, plain = pair
    one, two, system, reset = said(run, plain, "Hello", "Hello", "/system x", "/reset")
    assert one == two == "Hello" + continued(run, plain, "Hello")
    assert system == "error: the model has no chat template, so there is no place for a system message"
    assert reset == "nothing is kept: without a chat template each line is a text of its own"


FORGOTTEN = "[reset] the conversation begins anew"


def test_what_takes_the_context_says_so(run: Run, pair: tuple[Path, Path], tmp_path: Path,
                                        monkeypatch: pytest.MonkeyPatch) -> None:
    """A demonstration is of texts of their own; a measurement overwrites all; another model has read nothing."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.gguf").write_bytes(b"no model")
    hello, demo, again, bench, once_more, switch, last, none = said(
        run, pair[0], "Hello", "/demo", "Hello", "/bench", "Hello", "/model bad", "Hello", "/reset",
        flags=("-t", "0", "bad.gguf"))
    first, *scenes = re.split(r"\[demo\] .*\n", demo)
    assert first == FORGOTTEN + "\n" and scenes[2] == scenes[4]
    assert f"\n{FORGOTTEN}\n" in bench and switch.endswith(f"\n{FORGOTTEN}")
    assert hello == again == once_more == last
    assert FORGOTTEN not in said(run, pair[1], "Hello", "/demo")[1]


def test_stopped_while_the_older_half_goes(run: Run, tmp_path: Path) -> None:
    """Computed anew in part, the text would go on from its older end."""
    model = tmp_path / "m.gguf"
    model.write_bytes(talking.gpt2(template=False))
    reply, ctx = said(run, model, "/budget prefill 1", "/budget strict on", "a", "/ctx", tokens=300)[2:]
    if "[stopped] prefill" in reply:  # not on a machine that takes less than a microsecond
        assert ctx.startswith("[ctx] used=0 ")


def test_template_is_told(run: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    def model_line(model: Path) -> str:
        out = run(model, "--chat", stdin=b"").stdout.decode()
        return next(line for line in out.splitlines() if line.startswith("[model] "))

    assert model_line(pair[0]).endswith(" template=chatml")
    assert "template" not in model_line(pair[1])
    strange = tmp_path / "m.gguf"
    strange.write_bytes(talking.llama().replace(b"im_start", b"in_start"))
    assert model_line(strange).endswith(" template=unknown: plain continuation")
