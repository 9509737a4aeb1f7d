"""`./doit …`: doit, with a clean end for Ctrl-C and SIGTERM."""

from __future__ import annotations

import signal
import sys
from types import FrameType

from toolchain.ending import leave


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
        leave(130, "interrupted")
    except SystemExit as exc:
        code = exc.code if isinstance(exc.code, int) else 1
        if code > 128:
            leave(code, "terminated")
        raise


def _stop(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
