"""One boot from options to exit status: attempts, the talk, the report."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType

from toolchain.errors import UserError
from toolchain.qemu import attempts, binary, disk, display, firmware, life, script, terminal
from toolchain.qemu.attempts import Attempt
from toolchain.qemu.machine import Machine
from toolchain.qemu.memo import Memo, cache_folder
from toolchain.qemu.options import BootOptions
from toolchain.qemu.report import Report, Tried
from toolchain.qemu.session import Session

Say = Callable[[str], None]


class Ended(BaseException):
    """SIGTERM or SIGHUP, as an exception, so that everything is put back on the way out."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.status = 128 + signum


def run(options: BootOptions, *, say: Say, boot_json: Path, vm: Callable[[], Path] | None = None) -> int:
    """See toolchain.qemu.boot."""
    report = Report(options.accel, options.smp, options.several)
    status = 1
    try:
        with _signals():
            status = _boot(options, report, say, boot_json.parent / "boot", vm)
    except KeyboardInterrupt:
        status = 130
    except Ended as ended:
        status = ended.status
    except BrokenPipeError:  # whoever read stdout has gone; Python must not flush into it again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 141
    finally:
        if options.prompts is not None:
            report.write(boot_json, status)
    return status


def _boot(options: BootOptions, report: Report, say: Say, copies: Path, vm: Callable[[], Path] | None) -> int:
    program = binary.choose(options.display, options.host, vm)
    code = firmware.find(program, options.machine, options.ovmf, vm)
    window = display.argument(program) if options.display == "gui" else "none"
    own = attempts.own_accelerator(sys.platform, platform.machine())
    order = attempts.plan(options.accel, options.cpu, options.avx2, fallback=options.fallback, own=own)
    memo = None
    if order[0].accel != "tcg":
        memo = Memo.of_this_machine(binary.version(program, cache_folder() / "qemu.json"))
    with contextlib.ExitStack() as stack:
        medium = disk.Disk(options.image, False)
        if options.prompts is None:
            medium = stack.enter_context(disk.kept_copy(options.image, copies, fresh=options.fresh, say=say))
        machine = Machine(program, code, None, medium.path, medium.keep, options.machine, options.smp, options.mem,
                          window)
        session, used = _first_alive(stack, machine, order, options, report, memo)
        report.accel_used = used.accel
        notice = summary(options.accel, order, report.attempts, used)
        if notice:
            say(notice)
        try:
            return _talk(session, options, report, say)
        except script.GuestFailure as exc:
            if memo is not None and used.accel != "tcg" and exc.failure.remember:
                memo.remember(used, exc.failure.reason)
            raise


def _first_alive(stack: contextlib.ExitStack, machine: Machine, order: tuple[Attempt, ...], options: BootOptions,
                 report: Report, memo: Memo | None) -> tuple[Session, Attempt]:
    """The first attempt whose firmware shows life; `stack` ends it. Raises UserError when none does."""
    left = life.LOST_AT_MOST
    for attempt in order:
        last = attempt is order[-1]
        known = memo.recall(attempt) if memo is not None and not last else None
        if known is not None:
            report.attempts.append(Tried(attempt.accel, "remembered", known, 0.0))
            continue
        if not last and left < 0.3:
            report.attempts.append(Tried(attempt.accel, "skipped", "no time left for another try", 0.0))
            continue
        started = time.monotonic()
        if attempt.accel == "whpx":
            machine = replace(machine, combined=_combined(stack, machine.firmware))
        elif machine.combined is not None:
            machine = replace(machine, combined=None)
        session = stack.enter_context(Session(machine, attempt))
        failure = session.await_life(_patience(options) if last else left)
        if failure is None:
            report.attempts.append(Tried(attempt.accel, "ok", "", _since(started)))
            if memo is not None:
                memo.forget(attempt)
            return session, attempt
        session.close()
        left -= time.monotonic() - started
        report.attempts.append(Tried(attempt.accel, failure.outcome, failure.reason, _since(started)))
        if memo is not None and failure.remember and attempt.accel != "tcg":
            memo.remember(attempt, failure.reason)
    tried = report.attempts[-1]
    hint = ("leave out fallback=0, or use accel=tcg" if order[-1].accel != "tcg"
            else "see ./doit doctor and docs/qemu.md")
    raise UserError(f"no boot with accel={tried.accel}: {tried.reason}", hint)


def _patience(options: BootOptions) -> float:
    """Seconds that the last attempt has for its first byte."""
    if options.prompts is not None:
        return options.seconds
    return options.timeout if options.timeout is not None else life.FIRST_LIFE


def _since(started: float) -> float:
    return round(time.monotonic() - started, 3)


def _combined(stack: contextlib.ExitStack, flash: firmware.Firmware) -> Path:
    """Variables and code in one file for -bios: WHPX cannot map flash (that is its MMIO failure)."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ingot-boot-")))
    path = folder / "firmware.fd"
    path.write_bytes(flash.variables.read_bytes() + flash.code.read_bytes())
    return path


def summary(requested: str, order: tuple[Attempt, ...], tried: list[Tried], used: Attempt) -> str | None:
    """The one line that tells what was tried and is used; None where the user got what was asked for."""
    def named(attempt: Attempt) -> str:
        forced = attempt.accel != "tcg" and any(other.accel == attempt.accel and other.cpu != attempt.cpu
                                                for other in order)
        return f"{attempt.accel} -cpu {attempt.cpu}" if forced else attempt.accel

    failed = [f"{named(attempt)} failed {'before ' if one.outcome == 'remembered' else ''}({one.reason})"
              for attempt, one in zip(order, tried, strict=False) if one.outcome not in ("ok", "skipped")]
    if not failed and requested != "auto":
        return None
    return "accelerator: " + ", ".join([*failed, f"using {named(used)}"])


def _talk(session: Session, options: BootOptions, report: Report, say: Say) -> int:
    """Scripted or interactive. The exit status for the user; raises GuestFailure where QEMU failed."""
    if options.prompts is not None:
        code = script.play(session, options, report, show)
        if sys.stdout.isatty() and report.replies and not report.replies[-1].text.endswith("\n"):
            show(b"\n")
    else:
        left = terminal.talk(session, options, show, say)
        if left is None:
            code = session.close(flush=True)
            return code if options.raw_exit else 0
        code = left
    if not life.user_left(code):
        raise script.GuestFailure(session.ended(code), "while running", session.log)
    return code if options.raw_exit else 0


def show(data: bytes) -> None:
    """To the user's stdout, at once."""
    if data:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """SIGTERM and SIGHUP raise Ended, SIGINT KeyboardInterrupt; the first is the only one."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {getattr(signal, name): signal.getsignal(getattr(signal, name)) for name in names}
    before = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}

    def end(number: int, _frame: FrameType | None) -> None:
        for other in before:
            signal.signal(other, signal.SIG_IGN)  # the way out must not be cut short
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise Ended(number)

    for number in before:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
