"""Scripted boots: type the prompts over serial, take the replies, power off."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from toolchain.errors import UserError
from toolchain.qemu import life, protocol
from toolchain.qemu.options import BootOptions
from toolchain.qemu.report import Reply, Report, printed
from toolchain.qemu.session import Session


class GuestFailure(UserError):
    """The guest ended or stopped before its time, and QEMU said why."""

    def __init__(self, failure: life.Failure, during: str, log: bytes) -> None:
        super().__init__(f"QEMU failed {during}: {failure.reason}; the last of the serial line:{protocol.tail(log)}",
                         "see docs/qemu.md; accel=tcg needs nothing of the machine")
        self.failure = failure


class Chat:
    """The program's side of the serial line, from its prompt to its end. Times out at `end` (monotonic)."""

    def __init__(self, session: Session, seconds: float) -> None:
        self._session = session
        self._seconds = seconds
        self._framing = protocol.Framing()
        self.end = session.started + seconds

    def open(self) -> str:
        """Waits for the prompt and switches to script mode. What the program said before. Raises UserError where
        it gave up: it waits for a key then, so that somebody at a screen can read why."""
        coming = self._received("before the program's prompt")
        while not protocol.at_prompt(self._session.log):
            failed = protocol.failure(self._session.log)
            if failed is not None:
                raise UserError(*failed)
            next(coming)
        banner = protocol.plain(self._session.log)[:-len(protocol.PROMPT)]
        self.line("/script")
        return banner

    def allow(self, seconds: float) -> None:
        """The guest has so long from now on."""
        self._seconds, self.end = seconds, time.monotonic() + seconds

    def line(self, text: str, take: Callable[[bytes], object] = lambda _: None, *, check: bool = True) -> list[str]:
        """Sends a line, gives the reply's bytes to `take`, returns the other lines. With `check`, raises
        UserError where the program reports an error."""
        self._session.send(text.encode() + b"\r")
        lines: list[str] = []
        for data in self._received(f"after {text[:40]!r}"):
            for event in self._framing.feed(data):
                if isinstance(event, protocol.Text):
                    take(event.data)
                elif isinstance(event, protocol.Line):
                    lines.append(event.text)
                elif isinstance(event, protocol.Ready):
                    if check:
                        _refuse(text, lines)
                    return lines
        raise AssertionError("unreachable: _received ends by raising")

    def quit(self) -> int:
        """Asks for power-off and waits for it. QEMU's exit status."""
        self._session.send(b"/quit\r")
        while True:
            data = self._session.receive(min(0.05, self.end - time.monotonic()))
            code = self._session.child.wait(0.05 if data is None else 0.0)
            if code is not None:
                return code
            self._check("while powering off")

    def _received(self, during: str) -> Iterator[bytes]:
        """The bytes that come; raises when the guest ends, stops or is out of time."""
        while True:
            data = self._session.receive(min(0.05, self.end - time.monotonic()))
            if data:
                yield data
                if time.monotonic() >= self.end:  # a guest that talks for ever hangs too
                    self._check(during)
                continue
            code = self._session.child.wait(0.2 if data is None else 0.0)
            if code is not None:
                raise GuestFailure(self._session.ended(code), during, self._session.log)
            self._check(during)

    def _check(self, during: str) -> None:
        stopped = self._session.stopped()
        if stopped is not None:
            raise GuestFailure(stopped, during, self._session.log)
        if time.monotonic() >= self.end:
            raise UserError(f"the guest hung {during}: it was ended at timeout={self._seconds:g} s; "
                            f"the last of the serial line:{protocol.tail(self._session.log)}",
                            "give it longer with timeout=SECONDS, or see docs/qemu.md")


def _refuse(sent: str, lines: list[str]) -> None:
    for line in lines:
        if line.startswith("error: "):
            raise UserError(f"the program refused {sent[:60]!r}: {line[7:]}",
                            "docs/qemu.md lists the variables of boot")


def play(session: Session, options: BootOptions, report: Report, show: Callable[[bytes], None]) -> int:
    """Runs the whole script; `show` gets the text as it comes. QEMU's exit status."""
    chat = Chat(session, options.seconds)
    banner = chat.open()
    report.boot_ms = round((time.monotonic() - session.started) * 1000)
    report.banner(protocol.fields(banner, "cpu"))
    settings = options.settings()
    for prompt in options.prompts or ():
        for setting in settings:
            chat.line(setting)
        report.replies.append(_ask(chat, prompt, options.several, show))
        # Again before each, so that every reply equals that of a boot of its own.
        settings = [setting for setting in options.settings() if setting.startswith("/seed ")]
    return chat.quit()


def _ask(chat: Chat, prompt: str, several: bool, show: Callable[[bytes], None]) -> Reply:
    text = bytearray()

    def take(data: bytes) -> None:
        text.extend(data)
        show(data)

    typed = "/" + prompt if prompt.startswith("/") else prompt  # a single slash would be a command
    stats = protocol.fields("\n".join(chat.line(typed, take)), "stats")
    whole = text.decode("utf-8", "replace")
    show(printed(whole, several)[len(whole):].encode())
    try:
        return Reply(prompt, whole, int(stats["prompt_tokens"]), int(stats["tokens"]), float(stats["time_ms"]),
                     float(stats["tok_s"]))
    except (KeyError, ValueError):
        raise UserError(f"no [stats] line that can be read after the reply to {prompt[:40]!r}: {stats}",
                        "the image was made by another version: build it again") from None
