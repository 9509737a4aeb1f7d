"""`./doit verify` as it is typed."""

from __future__ import annotations

import hashlib
import html
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.project import Project
from tests.release.conftest import NAME, Released
from tests.release.verify.conftest import PACKED, Signed, flip
from toolchain import release

WHERE = f"dist/{NAME}"


def test_folder(ready: Project) -> None:
    lines = ready.doit("verify", WHERE).stdout.splitlines()
    assert len(lines) > 10 and all(line.startswith(("ok ", " ? ")) for line in lines)
    assert not any("could not be compared" in line for line in lines)  # this checkout has the lock


def test_the_first_lie_ends_it(ready: Project) -> None:
    flip(ready.folder / WHERE / release.SBOM, 1000)
    shutil.rmtree(ready.folder / ".git")
    done = ready.doit("verify", WHERE, status=1)
    last = done.stdout.splitlines()[-1]
    assert last.startswith(f"LIE  {release.SBOM}: ") and "Traceback" not in done.stderr
    assert PACKED not in done.stdout


def test_key_and_certificate(signed: Signed, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(signed.key)
    (tmp_path / "cert.pem").write_bytes(signed.cert)
    here = {"INGOT_CALLED_FROM": str(tmp_path)}  # where the user is, when the wrapper starts us
    done = signed.project.doit("verify", f"signed/{NAME}", "key=key.pem", "cert=cert.pem", env=here)
    assert " ? " not in done.stdout
    done = signed.project.doit("verify", f"signed/{NAME}/{PACKED}", "key=key.pem", f"from=signed/{NAME}", env=here)
    assert "byte for byte" in done.stdout


@pytest.mark.parametrize("words, what", [
    ([], "verify takes one PATH"), ([WHERE, "more"], "verify takes one PATH"), (["nowhere"], "nowhere does not exist"),
    ([WHERE, "from=dist"], "leave from= out"), (["dodo.py", "from=nowhere"], "from=nowhere is not a folder"),
    ([WHERE, "key=nowhere"], "cannot be read"), ([WHERE, "key=dodo.py"], "is not a public key in PEM"),
    ([WHERE, "cert=dodo.py"], "is not a certificate in PEM"), ([WHERE, "kez=x"], "key"), (["/dev/null"], "neither")])
def test_what_is_wrong_is_said(words: list[str], what: str, released: Released) -> None:
    done = released.project.doit("verify", *words, status=None)
    assert done.returncode != 0 and what in done.stderr and "hint" in done.stderr and "Traceback" not in done.stderr


def test_a_download_and_a_model_beside_the_program(ready: Project) -> None:
    """The other shape of a release: a dataset from outside, and two files in the image."""
    text = (ready.folder / "build/smoke/corpus.txt").read_bytes()
    (ready.folder / "data").mkdir()
    (ready.folder / "data/input.txt").write_bytes(text)
    ready.edit("images/smoke.yaml", "  generator: tales\n  seed: 7\n  bytes: 60000\n",
               f"  file: input.txt\n  urls: [https://example.org/input.txt]\n"
               f"  sha256: {hashlib.sha256(text).hexdigest()}\n  size: {len(text)}\n")
    with (ready.folder / "images/smoke.yaml").open("a") as recipe:
        recipe.write("link_model: false\n")
    ready.doit("release", "image=smoke", "force=1", "data_dir=data")
    lines = ready.doit("verify", WHERE).stdout
    assert "model.gguf (" in lines and " ?   provenance.json: it was released with force=1" in lines


def test_the_commands_of_the_report(signed: Signed) -> None:
    """Those for people without ingot work as they are shown."""
    page = html.unescape((signed.folder / release.REPORT).read_text())
    lines = [line for line in re.findall(r"<code>(.*?)</code>", page)
             if line.startswith(("openssl", "sha256sum", "zstd")) and "/dev/sdX" not in line]
    assert len(lines) == 5
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", "\n".join(lines)], cwd=signed.folder, text=True,
                          capture_output=True)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[0].split()[0] in page and said[-1].split()[0] in page and said[1:3] == ["Signature Verified "
                                                                                         "Successfully"] * 2
