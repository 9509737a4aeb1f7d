"""What an edit costs: the stages that it reaches, and no other."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.project import Project
from tests.toolchain.test_cli import built, restored


def git(project: Project, *words: str) -> None:
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], cwd=project.folder, check=True,
                   capture_output=True)


def test_another_branch_and_back(smoke: Project) -> None:
    (smoke.folder / ".gitignore").write_text("build/\n__pycache__/\n")
    git(smoke, "init", "-q", "-b", "main")
    git(smoke, "add", "-A")
    git(smoke, "commit", "-qm", "one")
    git(smoke, "switch", "-qc", "other")
    smoke.edit("efi_src/uefi/clock.c", "{", "{ __asm__ volatile(\"nop\");")
    smoke.edit("images/smoke.yaml", "steps: 40", "steps: 30")
    git(smoke, "commit", "-qam", "two")
    first = smoke.outputs_of("image")
    assert "train" in built(smoke.doit("image=smoke")) and smoke.outputs_of("image") != first
    git(smoke, "switch", "-q", "main")
    assert built(smoke.doit("image=smoke")) == [] and smoke.outputs_of("image") == first
    git(smoke, "switch", "-q", "other")
    assert built(smoke.doit("image=smoke")) == []


def test_a_source_that_moves_changes_nothing(smoke: Project) -> None:
    """The work folder's path of an input is what its stage sees; where it lies in the project is not."""
    (smoke.folder / "efi_src/parts").mkdir()
    (smoke.folder / "efi_src/uefi/model_blob.S").rename(smoke.folder / "efi_src/parts/blob.S")
    smoke.edit("dodo.py", '"efi_src/uefi/model_blob.S"', '"efi_src/parts/blob.S"')
    done = smoke.doit("image=smoke")
    assert built(done) == restored(done) == []


def test_a_renamed_source_rebuilds_what_its_name_reaches(smoke: Project) -> None:
    folder = smoke.folder / "efi_src/uefi"
    (folder / "clock.c").rename(folder / "clocks.c")
    done = built(smoke.doit("image=smoke"))
    assert "compile:uefi/clocks" in done and "train" not in done
    assert set(done) <= {"compile:uefi/clocks", "link", "image"}


def test_a_header_reaches_only_its_readers(smoke: Project) -> None:
    header = next((smoke.folder / "efi_src/train").glob("*.h"))
    with Path(header).open("a") as file:
        file.write("/* nothing new */\n")
    done = built(smoke.doit("image=smoke"))
    assert done and all(stage.startswith("compile:train/") for stage in done)


def test_a_result_from_elsewhere_with_the_same_files(smoke: Project, tmp_path: Path) -> None:
    """Another checkout on the same store has built the new keys; some of their files are those that lie here."""
    before = set(smoke.manifest())
    elsewhere = Project(tmp_path / "elsewhere", smoke.cache)
    shutil.copytree(smoke.folder, elsewhere.folder, symlinks=True)
    for one in (elsewhere, smoke):
        one.edit("efi_src/engine/text.h", "/* Strings and numbers", "/* Strings, and numbers,")
    elsewhere.doit("image=smoke")
    smoke.edit("efi_src/uefi/clock.c", "{", "{ __asm__ volatile(\"nop\");")
    assert "link" in built(smoke.doit("image=smoke"))
    assert set(smoke.manifest()) == before
