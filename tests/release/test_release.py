"""`./doit release` as a user runs it, on the small image."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.executors.conftest import needs
from tests.project import Project
from tests.release.conftest import NAME, Released
from tests.release.keys import make_certificate, make_key
from tests.release.project import commit, git
from toolchain import __version__, release
from toolchain.digest import sha256
from toolchain.formats import pe
from toolchain.formats.fat import Fat
from toolchain.formats.gpt import esp
from toolchain.release import provenance, sign, sums
from toolchain.release.authenticode import verify_efi
from toolchain.release.provenance import Provenance

UNSIGNED = sorted([release.packed_of("smoke", __version__), release.EFI, release.SBOM, release.PROVENANCE,
                   release.REPORT, release.SUMS])


def names(folder: Path) -> list[str]:
    """What lies there; dist/.work stays, empty."""
    return sorted(path.name for path in folder.iterdir() if path.name != ".work" or any(path.iterdir()))


def matches(folder: Path) -> bool:
    """Whether each file of a release has the sum that is listed."""
    listed = sums.decode((folder / release.SUMS).read_bytes())
    return listed == {name: sha256(folder / name) for name in listed}


def said(folder: Path) -> Provenance:
    return provenance.read((folder / release.PROVENANCE).read_bytes())


def unpacked(folder: Path) -> bytes:
    """The image, by zstd's own program where there is one."""
    import zstandard

    packed = (folder / release.packed_of("smoke", __version__)).read_bytes()
    return zstandard.ZstdDecompressor().decompress(packed)


def files_of(image: bytes) -> dict[str, bytes]:
    """What lies in its partition."""
    file = io.BytesIO(image)
    partition = esp(file, len(image))
    volume = Fat(file, partition.first, partition.size)
    return {entry.path: b"".join(volume.read(entry)) for entry in volume.files()}


# -- what is in it --


def test_the_files(released: Released) -> None:
    assert names(released.folder) == UNSIGNED
    assert names(released.folder.parent) == [NAME], "nothing else is left in dist/"
    digests = sums.decode((released.folder / release.SUMS).read_bytes())
    assert sorted(digests) == sorted(set(UNSIGNED) - {release.SUMS})
    assert matches(released.folder)
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in released.folder.iterdir())
    assert released.folder.stat().st_mode & 0o777 == 0o755
    assert git(released.project, "status", "--porcelain") == ""


def test_the_summary(released: Released) -> None:
    for path in released.folder.iterdir():
        assert f"{path.stat().st_size:,} bytes" in next(
            line for line in released.stdout.splitlines() if path.name == line.split()[0])
    assert f"./doit verify dist/{NAME}" in released.stdout
    assert f"./doit reproduce image=smoke from=dist/{NAME}" in released.stdout


def test_the_image(released: Released) -> None:
    import zstandard

    built = released.project.folder / "build/smoke"
    image = unpacked(released.folder)
    assert image == (built / "smoke.img").read_bytes()
    assert files_of(image)["EFI/BOOT/BOOTX64.EFI"] == (released.folder / release.EFI).read_bytes()
    head = zstandard.get_frame_parameters((released.folder / f"{NAME}.img.zst").read_bytes())
    assert head.content_size == len(image) and head.has_checksum
    assert (released.folder / release.EFI).read_bytes() == (built / "BOOTX64.EFI").read_bytes()


def test_the_provenance(released: Released) -> None:
    found, project = said(released.folder), released.project
    for name, digest in found.subjects.items():
        path = released.folder / name
        assert digest == (sha256(path) if path.exists() else sha256(project.folder / "build/smoke/smoke.img"))
    assert sorted(found.subjects) == sorted([release.EFI, release.SBOM, f"{NAME}.img", f"{NAME}.img.zst"])
    assert found.commit == git(project, "rev-parse", "HEAD") and found.forced == () and found.unsigned == {}
    assert found.recipe == (project.folder / "images/smoke.yaml").read_text()
    assert found.checked == {"CHANGELOG.md": sha256(project.folder / "CHANGELOG.md")} and found.byproducts == {}
    assert found.sources == {path: sha256(project.folder / path) for path in (
        "dodo.py", "toolchain/cc.py", "images/smoke.yaml")}
    assert (found.force, found.changed, found.repository) == (False, False, "")
    assert sorted(found.versions) == ["cyclonedx-python-lib", "ingot", "zstandard"] and found.builder == "local"
    assert [root.name for root in found.roots] == ["cc"] and found.certificate == ""
    assert found.roots[0].lock == sha256(project.folder / "toolchain/cc.lock")


def test_the_stages(released: Released) -> None:
    """Each key is that of its fields; each input is a source file as it is, or an output of a stage before it."""
    found, manifest = said(released.folder), released.project.manifest()
    before: dict[str, provenance.StageRecord] = {}
    for stage in found.stages:
        assert stage.fetched is False and manifest[stage.name]["fetched"] is False
        assert stage.holds and stage.pinned and stage.key == manifest[stage.name]["key"]
        assert {name: file.sha256 for name, file in stage.outputs.items()} == {
            name: one["sha256"] for name, one in manifest[stage.name]["outputs"].items()}
        assert set(stage.inputs) == set(stage.origins)
        for path, origin in stage.origins.items():
            digest = stage.inputs[path].removesuffix("+x")
            if origin.stage:
                assert before[origin.stage].outputs[origin.path].sha256 == digest
            else:
                assert sha256(released.project.folder / origin.path) == digest
        before[stage.name] = stage
    assert found.stages[-1].name == "image" and not any("host" in stage.name for stage in found.stages)


def test_a_downloaded_dataset(ready: Project, data: Callable[[str], Path]) -> None:
    """Named with its address and digest, in SBOM and provenance; the user's folders are named in neither."""
    text = data("tinyshakespeare.txt")
    recipe = ready.folder / "images/smoke.yaml"
    url = "https://example.org/input.txt"
    recipe.write_text(recipe.read_text().replace(
        "  generator: tales\n  seed: 7\n  bytes: 60000\n",
        f"  file: input.txt\n  urls: [{url}]\n  sha256: {sha256(text)}\n  size: {text.stat().st_size}\n"))
    folder = ready.folder / "data"
    folder.mkdir()
    (folder / "input.txt").write_bytes(text.read_bytes())
    ready.doit("release", "image=smoke", "force=1", f"data_dir={folder}")
    found = said(ready.folder / "dist" / NAME)
    assert found.downloads == (provenance.Source("input.txt", sha256(text), (url,)),)
    assert all(stage.holds and stage.pinned for stage in found.stages)
    stage = found.stage("dataset")
    assert stage is not None and (stage.executor, stage.toolchain, stage.inputs) == ("download", "", {})
    bill = json.loads((ready.folder / "dist" / NAME / release.SBOM).read_bytes())
    one = next(one for one in bill["components"] if one["bom-ref"] == "dataset")
    assert one["hashes"] == [{"alg": "SHA-256", "content": sha256(text)}] and one["name"] == "input.txt"
    assert one["externalReferences"] == [{"type": "distribution", "url": url}] and "licenses" not in one
    for path in (ready.folder / "dist" / NAME).iterdir():
        assert str(folder).encode() not in path.read_bytes()


# -- the same again --


def test_the_same_commit_gives_the_same_bytes(released: Released, ready: Project) -> None:
    """In another folder, with another clock, umask and language. Asked for by force=1, it says so."""
    (ready.folder / "dist/work-0.1.0").mkdir()
    (ready.folder / "dist" / NAME).rename(ready.folder / "dist/old")
    code = ("import os, sys; os.umask(0o077); "
            "os.execv(sys.executable, [sys.executable, '-m', 'toolchain', 'release', 'image=smoke'])")
    env = {**ready.env, "TZ": "Pacific/Auckland", "LC_ALL": "C", "SOURCE_DATE_EPOCH": "1"}
    subprocess.run([sys.executable, "-c", code], cwd=ready.folder, env=env, check=True, capture_output=True)
    again = ready.folder / "dist" / NAME
    assert names(again) == UNSIGNED
    assert names(again.parent) == ["old", NAME, "work-0.1.0"], "a release of a recipe named work is no work folder"
    for name in UNSIGNED:
        assert (again / name).read_bytes() == (released.folder / name).read_bytes(), name
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in again.iterdir())


def test_one_that_is_there_stays(released: Released) -> None:
    """And nobody is told to replace it by what would let everything else pass too."""
    done = released.project.doit("release", "image=smoke", status=1)
    assert f"dist/{NAME} is there already" in done.stderr and "delete it, or choose another version=" in done.stderr
    assert "force" not in done.stderr


def test_an_interruption_between_two_renames_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from toolchain.release import make

    for name in ("out", "folder", "work"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    rename, done = os.rename, []

    def interrupted(old: Path, new: Path) -> None:
        rename(old, new)
        done.append(new)
        if len(done) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make._settle(tmp_path / "out", tmp_path / "folder", tmp_path / "work")
    assert names(tmp_path / "folder") == ["folder"] and names(tmp_path / "work") == ["work"]
    make._settle(tmp_path / "out", tmp_path / "folder", tmp_path / "work")
    assert names(tmp_path / "folder") == ["out"] and names(tmp_path / "work") == ["old", "work"]


@pytest.mark.parametrize(("text", "found"), [
    ('[project.urls]\nRepository = "https://example.org/x"\n', "https://example.org/x"), ("[project]\n", ""), ("[", ""),
    ('[project.urls]\nHomepage = "https://example.org/x"\n', ""), ("[project.urls]\nRepository = 3\n", "")])
def test_the_repository_is_that_of_the_project(text: str, found: str, tmp_path: Path) -> None:
    from toolchain.release import gather

    assert gather.repository(tmp_path) == ""
    (tmp_path / "pyproject.toml").write_text(text)
    assert gather.repository(tmp_path) == found


# -- refusals --


def test_all_refusals_at_once_and_before_anything_is_built(ready: Project) -> None:
    ready.edit("efi_src/uefi/main.c", "\n", "\n\n")
    (ready.folder / "efi_src/engine/new.c").write_text("int a;\n")
    (ready.folder / "aaa.py").write_text("")  # Python looks here first, whatever is imported
    (ready.folder / "images/smoke.lock").write_text(f"{'0' * 64}  image/smoke.img\n{'0' * 64}  gone/x\n")
    (ready.folder / "dist/smoke-9.9").mkdir()
    done = ready.doit("release", "image=smoke", "version=9.9", "toolchain=host", status=1)
    for text in ("dist/smoke-9.9 is there already", "not pinned",
                 "aaa.py, efi_src/engine/new.c, efi_src/uefi/main.c",
                 "images/smoke.lock pins what no stage makes: gone/x", "CHANGELOG.md says nothing of 9.9",
                 "hint: force=1"):
        assert text in done.stderr, text
    assert "built" not in done.stderr and names(ready.folder / "dist") == [NAME, "smoke-9.9"]
    assert list((ready.folder / "dist/smoke-9.9").iterdir()) == []


def test_a_lock_that_disagrees_is_found_after_the_build_too(ready: Project) -> None:
    (ready.folder / "images/smoke.lock").write_text(f"{'0' * 64}  dataset/corpus.txt\n")
    ready.edit("images/smoke.yaml", "seed: 7", "seed: 8")
    ready.edit("CHANGELOG.md", "\n## ", "\n## 1.0\n\n## ")
    commit(ready)
    done = ready.doit("release", "image=smoke", "version=1.0", status=1)
    assert "built" in done.stderr and "images/smoke.lock pins something else than was built" in done.stderr
    assert names(ready.folder / "dist") == [NAME]


def test_without_a_repository(ready: Project) -> None:
    (ready.folder / ".git").rename(ready.folder / ".nogit")
    done = ready.doit("release", "image=smoke", "force=0", status=1)
    assert "no commit to name: not a git repository" in done.stderr


def test_force_makes_it_and_says_so(ready: Project) -> None:
    ready.edit("CHANGELOG.md", "# Changelog", "# Changes")
    done = ready.doit("release", "image=smoke", "version=9.9", "force=1")
    found = said(ready.folder / "dist/smoke-9.9")
    assert found.forced == ("the tree is dirty, not as in its last commit: CHANGELOG.md",
                            "CHANGELOG.md says nothing of 9.9")
    assert all(f"(force=1): {reason}" in done.stderr for reason in found.forced)
    assert f"it is version {__version__}, not 9.9" in done.stderr
    assert found.force and found.changed and found.commit == git(ready, "rev-parse", "HEAD")
    page = (ready.folder / "dist/smoke-9.9" / release.REPORT).read_text()
    assert all(reason in page for reason in found.forced) and "byte for byte" not in page and "on top of commit" in page
    bill = json.loads((ready.folder / "dist/smoke-9.9" / release.SBOM).read_bytes())
    assert {"image", "efi", "model"} <= {ref for one in bill["compositions"] if one["aggregate"] == "incomplete"
                                         for ref in one["dependencies"]}
    shutil.rmtree(ready.folder / "dist/smoke-9.9")
    done = ready.doit("release", "image=smoke", "version=9.9", "force=1",
                      env={"INGOT_CALLED_FROM": str(ready.folder / "images")})
    assert "../doit verify ../dist/smoke-9.9" in done.stdout and "from=../dist/smoke-9.9" in done.stdout


@pytest.mark.parametrize(("words", "what"), [
    (["version=../x"], "cannot be a version"), (["version="], "cannot be a version"), (["force=2"], "force=2"),
    (["cert=a.pem"], "cert= needs sign="), (["sign=no-such.pem"], "no-such.pem"), (["image=nothing"], "nothing"),
    (["smoke"], "takes no word")])
def test_words_that_make_no_sense(released: Released, words: list[str], what: str) -> None:
    image = [] if words[0].startswith("image=") else ["image=smoke"]
    done = released.project.doit("release", *image, *words, status=None)
    assert done.returncode != 0 and what in done.stderr and "Traceback" not in done.stderr
    assert "hint:" in done.stderr and names(released.folder.parent) == [NAME]


# -- signatures --


def test_signed(ready: Project, released: Released, tmp_path: Path) -> None:
    """What was signed unsigned is the same; the signatures are the key's; nothing tells of the key's place."""
    key = make_key(tmp_path / "a secret place.pem", "Ed25519", b"a passphrase")
    done = ready.doit("release", "image=smoke", "force=1", f"sign={key}", env={sign.PASSPHRASE: "a passphrase"})
    folder = ready.folder / "dist" / NAME
    assert names(folder) == sorted([*UNSIGNED, *release.SIGNATURES])
    public = (folder / release.PUBLIC_KEY).read_bytes()
    assert public == sign.load_key(key, lambda prompt: b"a passphrase").public_pem
    for name, signature in ((release.SUMS, release.SUMS_SIGNATURE),
                            (release.PROVENANCE, release.PROVENANCE_SIGNATURE)):
        assert sign.verify(public, (folder / name).read_bytes(), (folder / signature).read_bytes())
    assert replace(said(folder), force=False) == said(released.folder), "only force=1 was asked for"
    for path in folder.iterdir():
        assert b"passphrase" not in path.read_bytes() and b"secret place" not in path.read_bytes()
    assert "passphrase" not in done.stdout + done.stderr
    assert sign.fingerprint(public).encode() in (folder / release.REPORT).read_bytes()


def test_secure_boot(ready: Project, tmp_path: Path) -> None:
    """The image holds the signed program, and all else as before; the provenance names what it was without."""
    key = make_key(tmp_path / "key.pem", "RSA 2048")
    cert = make_certificate(tmp_path / "cert.pem", sign.load_key(key, None))
    before = said(ready.folder / "dist" / NAME)
    ready.doit("release", "image=smoke", "force=1", f"sign={key}", f"cert={cert}")
    folder, found = ready.folder / "dist" / NAME, said(ready.folder / "dist" / NAME)
    signed, plain = (folder / release.EFI).read_bytes(), (ready.folder / "build/smoke/BOOTX64.EFI").read_bytes()
    assert signed != plain and pe.unsigned(signed) == pe.unsigned(plain)
    assert verify_efi(signed, (folder / release.PUBLIC_KEY).read_bytes()) == "CN=test cert.pem"
    inside = files_of(unpacked(folder))
    assert inside.pop("EFI/BOOT/BOOTX64.EFI") == signed
    was = files_of((ready.folder / "build/smoke/smoke.img").read_bytes())
    assert was.pop("EFI/BOOT/BOOTX64.EFI") == plain and inside == was
    assert found.unsigned == {release.EFI: before.subjects[release.EFI],
                              "smoke.img": before.subjects[f"{NAME}.img"]}
    assert len(found.certificate) == 64 and found.stages == before.stages
    components = {one["bom-ref"]: one for one in json.loads((folder / release.SBOM).read_bytes())["components"]}
    assert components["efi"]["hashes"][0]["content"] == sha256(folder / release.EFI)
    assert matches(folder)


def test_secure_boot_with_the_model_as_a_file(ready: Project, tmp_path: Path) -> None:
    with (ready.folder / "images/smoke.yaml").open("a") as recipe:
        recipe.write("link_model: false\n")
    key = make_key(tmp_path / "key.pem", "RSA 2048")
    cert = make_certificate(tmp_path / "cert.pem", sign.load_key(key, None))
    ready.doit("release", "image=smoke", "force=1", f"sign={key}", f"cert={cert}")
    folder = ready.folder / "dist" / NAME
    inside, model = files_of(unpacked(folder)), (ready.folder / "build/smoke/model.gguf").read_bytes()
    assert inside == {"EFI/BOOT/BOOTX64.EFI": (folder / release.EFI).read_bytes(), "model.gguf": model}
    needs_of = {one["ref"]: one.get("dependsOn", [])
                for one in json.loads((folder / release.SBOM).read_bytes())["dependencies"]}
    assert {"efi", "model"} <= set(needs_of["image"])


def test_a_certificate_of_another_key(released: Released, tmp_path: Path) -> None:
    key = make_key(tmp_path / "key.pem", "RSA 2048")
    cert = make_certificate(tmp_path / "cert.pem", sign.load_key(make_key(tmp_path / "b", "RSA 2048", number=1), None))
    done = released.project.doit("release", "image=smoke", f"sign={key}", f"cert={cert}", status=1)
    assert "another key" in done.stderr


# -- when it does not end well --


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_half_made_is_left(ready: Project, released: Released, number: signal.Signals) -> None:
    """Stopped while the image is packed: the release that was there is untouched. What SIGKILL leaves, the next
    release sweeps away."""
    pack = ready.folder / "toolchain/release/pack.py"
    text = pack.read_text()
    pack.write_text(text.replace("    import zstandard\n", "    import time\n\n    time.sleep(60)\n"))
    child = ready.start("release", "image=smoke", "force=1")
    dist = ready.folder / "dist"
    for _ in range(600):
        if any(dist.glob(".work/work-*/*")):
            break
        assert child.poll() is None, child.communicate()
        time.sleep(0.05)
    os.kill(child.pid, number)
    child.communicate(timeout=30)
    assert child.returncode == (-9 if number == signal.SIGKILL else 128 + number)
    assert (names(dist) == [NAME]) is (number != signal.SIGKILL)
    assert (dist / NAME / release.SUMS).read_bytes() == (released.folder / release.SUMS).read_bytes()
    if number == signal.SIGKILL:
        pack.write_text(text)
        ready.doit("release", "image=smoke", "force=1")
        assert names(dist) == [NAME] and matches(dist / NAME)
        assert replace(said(dist / NAME), force=False) == said(released.folder)


def test_a_rotten_blob_is_not_released(ready: Project, released: Released) -> None:
    """Although the file in build/ is right: what is released is what the store vouches for, every byte read."""
    digest = ready.outputs_of("image")["smoke.img"]
    blob = ready.cache / "ingot/cas" / digest[:2] / digest
    blob.chmod(0o644)
    with blob.open("r+b") as file:
        file.seek(5_000_000)
        file.write(b"rot")
    done = ready.doit("release", "image=smoke", "force=1", status=1)
    assert "the store's copy of smoke.img is damaged" in done.stderr and names(ready.folder / "dist") == [NAME]
    ready.doit("release", "image=smoke", "force=1")
    folder = ready.folder / "dist" / NAME
    assert (folder / f"{NAME}.img.zst").read_bytes() == (released.folder / f"{NAME}.img.zst").read_bytes()


# -- where it is built --


@pytest.mark.docker
def test_built_in_docker(ready: Project) -> None:
    """What has to be built is built there, although the sandbox works; what the sandbox made is the same."""
    from toolchain.executors.docker import trouble

    needs("docker", trouble())
    ready.doit("forget", "tokenize", "image=smoke")
    (ready.folder / "build/smoke/tokens.val.bin").unlink()
    before = {stage.name: stage for stage in said(ready.folder / "dist" / NAME).stages}
    ready.doit("release", "image=smoke", "force=1")
    after = {stage.name: stage for stage in said(ready.folder / "dist" / NAME).stages}
    assert (before["tokenize"].executor, after["tokenize"].executor) == ("sandbox", "docker")
    assert {name: stage.outputs for name, stage in after.items()} == {
        name: stage.outputs for name, stage in before.items()}


@pytest.mark.parametrize(("word", "ci"), [("release", True), ("image", False)])
def test_docker_comes_first(word: str, ci: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from toolchain.executors.choose import Auto
    from toolchain.executors.sandbox import Sandbox
    from toolchain.plugin import Session

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CI", "")
    monkeypatch.setattr(sys, "argv", ["doit", word])
    executor = Session(tmp_path, {}).graph.executor
    assert isinstance(executor, Auto) and executor._ci is ci
    assert isinstance(Session(tmp_path, {"toolchain": "sandbox"}).graph.executor, Sandbox)
