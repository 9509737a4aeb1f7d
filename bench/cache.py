"""What the store saves: an up-to-date build, everything restored, one line edited, everything from a warm remote."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EDITED = "efi_src/uefi/clock.c"


class Files(http.server.SimpleHTTPRequestHandler):
    """A cache server in a few lines: GET, HEAD and PUT of files."""

    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        """Writes the body where its address says; only this benchmark talks to it."""
        path = Path(self.translate_path(self.path))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def seconds(clone: Path, cache: Path, *words: str) -> float:
    """Wall time of ./doit, with a store of its own."""
    begun = time.monotonic()
    subprocess.run([str(ROOT / ".venv/bin/python"), "-m", "toolchain", "image=tales", *words], cwd=clone, check=True,
                   env={**os.environ, "XDG_CACHE_HOME": str(cache)}, capture_output=True)
    return time.monotonic() - begun


def copy_of_the_checkout(folder: Path) -> Path:
    """The files that git knows, and new ones, as they are now."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True)
    folder.mkdir()
    subprocess.run(["tar", "-cf", str(folder / "x"), "-T", "-"], cwd=ROOT, input=listed.stdout, check=True)
    subprocess.run(["tar", "-xf", "x"], cwd=folder, check=True)
    (folder / "x").unlink()
    return folder


def main() -> None:
    """One line a measurement; medians of five where it is quick."""
    own = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ingot"
    with tempfile.TemporaryDirectory(dir=own) as place:
        here, cache = Path(place), Path(place) / "cache"
        clone = copy_of_the_checkout(here / "clone")
        (cache / "ingot").mkdir(parents=True)
        (cache / "ingot/roots").symlink_to(own / "roots")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Files, directory=place))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        remote = f"remote=http://127.0.0.1:{server.server_address[1]}/remote"

        print(f"all built, and pushed      {seconds(clone, cache, remote, 'remote_push=1'):7.2f} s")
        again = [seconds(clone, cache) for _ in range(5)]
        print(f"up to date                 {statistics.median(again):7.2f} s")
        restored = []
        for _ in range(5):
            shutil.rmtree(clone / "build")
            restored.append(seconds(clone, cache))
        print(f"all restored               {statistics.median(restored):7.2f} s")
        edits = []
        for number in range(5):
            with (clone / EDITED).open("a") as file:
                file.write(f"const int edited_{number} = {number};\n")
            edits.append(seconds(clone, cache))
        print(f"a line in {EDITED} {statistics.median(edits):6.2f} s")
        shutil.rmtree(clone / "build")
        subprocess.run(["git", "show", f"HEAD:{EDITED}"], cwd=ROOT, check=True, stdout=(clone / EDITED).open("wb"))
        other = here / "other"
        (other / "ingot").mkdir(parents=True)
        (other / "ingot/roots").symlink_to(own / "roots")
        print(f"all from a warm remote     {seconds(clone, other, remote):7.2f} s")
        server.shutdown()


if __name__ == "__main__":
    main()
