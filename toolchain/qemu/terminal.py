"""Interactive boots: the user's terminal, or a pipe, on the guest's serial line."""

from __future__ import annotations

import select
import sys
from collections.abc import Callable

from toolchain.qemu import keyboard, protocol
from toolchain.qemu.options import BootOptions
from toolchain.qemu.script import Chat, GuestFailure
from toolchain.qemu.session import Session

CTRL_C = b"\x03"
_BANNER = "[boot]"


def talk(session: Session, options: BootOptions, show: Callable[[bytes], None], say: Callable[[str], None],
         ) -> int | None:
    """Until the user or the guest leaves: QEMU's exit status, or None where the user left with Ctrl-C (or the
    terminal was closed) and QEMU still runs. Raises GuestFailure."""
    if sys.stdin is not None and sys.stdin.isatty():
        say("Ctrl-C ends the boot, Esc stops a reply")
        with keyboard.raw() as keys:
            return _relay(session, options, show, keys)
    if options.display == "gui":
        return _relay(session, options, show, None)
    return _pipe(session, options, show)


class _Preamble:
    """Keeps the firmware from clearing the user's screen: up to the program's banner only its text is shown."""

    def __init__(self) -> None:
        self._over = False
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What to show for these bytes."""
        if self._over:
            return data
        data, self._held = self._held + data, b""
        self._over = _BANNER in protocol.plain(data)
        escape = data.rfind(b"\x1b")
        if not self._over and 0 <= escape >= len(data) - 8:  # a sequence may be cut
            data, self._held = data[:escape], data[escape:]
        return protocol.plain(data).replace("\n", "\r\n").encode()


def _relay(session: Session, options: BootOptions, show: Callable[[bytes], None], keys: keyboard.Keys | None,
           ) -> int | None:
    preamble, settings = _Preamble(), options.settings()
    show(preamble.feed(session.log))  # the first bytes were life
    answered = b""
    while True:
        if settings and session.log is not answered and protocol.at_prompt(session.log):
            session.send(settings.pop(0).encode() + b"\r")
            answered = session.log  # each prompt takes one
        watched = [part.fileno() for part in (session.serial, keys) if part is not None]
        ready = select.select(watched, [], [], 0.2)[0]
        if keys is not None and keys.fileno() in ready:
            typed = keys.read()
            session.send(typed.partition(CTRL_C)[0])
            if not typed or CTRL_C in typed:
                return None
        data = session.receive(0.0)
        if data:
            show(preamble.feed(data))
            continue
        code = session.child.wait(0.2 if data is None else 0.0)
        if code is not None:
            return code
        stopped = session.stopped()
        if stopped is not None:
            raise GuestFailure(stopped, "while running", session.log)


def _pipe(session: Session, options: BootOptions, show: Callable[[bytes], None]) -> int:
    """Types each line of stdin when the program is ready for it; powers off at the end of input."""
    chat = Chat(session, options.seconds)
    show(chat.open().encode())
    for setting in options.settings():
        chat.line(setting)
    for line in sys.stdin.buffer if sys.stdin is not None else ():
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if text.strip() == "/quit":
            break
        chat.allow(options.seconds)
        lines = chat.line(text, show, check=False)
        show("".join(f"\n{shown}" for shown in lines).encode() + b"\n")
    chat.allow(options.seconds)
    return chat.quit()
