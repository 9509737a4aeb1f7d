"""The README's block about releases."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from tests.project import Project
from tests.test_docs import PAGES, RELEASE, commands, words_of


def test_a_release_as_the_readme_shows_it(ready: Project, tmp_path: Path) -> None:
    """One after the other, on the small image, with a key that lies outside the checkout."""
    private, public = (tmp_path / name for name in ("release.key", "release.pub"))
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
    private.chmod(0o600)
    block = next(block for block in re.findall(r"^```\w*\n(.*?)^```", PAGES[0].read_text(encoding="utf-8"), re.M | re.S)
                 if "./doit release" in block)
    lines = [line.removeprefix("$ ").replace("tales", "smoke") for line in block.splitlines()]
    assert len(lines) == len([command for command in commands() if RELEASE.match(command)]) == 3
    shutil.rmtree(ready.folder / "dist")
    for line in lines:
        ready.doit(*words_of(line))
