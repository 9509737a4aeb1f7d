"""`./doit …`: doit, with a clean end for Ctrl-C and SIGTERM."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import NoReturn


def main(argv: list[str]) -> int:
    """Runs doit's command line; returns its exit status."""
    from doit.doit_cmd import DoitMain

    if argv[:1] == ["--version"]:
        import doit

        from toolchain import __version__

        print(f"ingot {__version__} (doit {doit.__version__})")
        return 0
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        signal.signal(number, _stop)
    DoitMain.BIN_NAME = "doit"
    try:
        # doit crashes on an empty word
        return int(DoitMain().run([word for word in argv if word]) or 0)
    except KeyboardInterrupt:
        _leave(130, "interrupted")
    except SystemExit as exc:
        code = exc.code if isinstance(exc.code, int) else 1
        if code > 128:
            _leave(code, "terminated")
        raise


def _stop(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _leave(status: int, word: str) -> NoReturn:
    """Ends at once: children first, then this process, whatever other threads still do."""
    from toolchain.executors.children import end_all

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not cut this short
    end_all()
    print(f"\n{word}: finished stages are kept, run the same command to go on", file=sys.stderr)
    sys.stdout.flush()
    os._exit(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
