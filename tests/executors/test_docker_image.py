"""The image of a root: made of its tree, known by it, and built anew when it is not what was built here."""

from __future__ import annotations

import io
import tarfile
import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.executors.containers import fixture_engine  # noqa: F401
from toolchain.errors import UserError
from toolchain.executors.docker.engine import Engine
from toolchain.executors.docker.image import context, ensure_image, labels_of, tag_of
from toolchain.roots import Root

pytestmark = pytest.mark.docker
CHECKOUT = Path(__file__).resolve().parent.parent.parent


class Counting:
    """The SDK's client; counts what is built."""

    def __init__(self, api: Any) -> None:
        self.api = api
        self.built = 0

    def build(self, **words: Any) -> Any:
        self.built += 1
        return self.api.build(**words)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.api, name)


@pytest.fixture
def little(engine: Engine, tmp_path: Path) -> Iterator[Root]:
    """A root of two files, like no other."""
    tree = tmp_path / "tree/root"
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "bin").symlink_to("usr/bin")
    (tree / "usr/bin/tool").write_text("#!/bin/sh\n")
    (tree / "usr/bin/tool").chmod(0o755)
    (tree / "usr/data").write_text(uuid.uuid4().hex)
    root = Root(f"test-{uuid.uuid4().hex[:8]}", uuid.uuid4().hex * 2, tree)
    yield root
    for found in engine.api.images(quiet=True, filters={"label": f"ingot.tree={root.tree}"}):
        engine.api.remove_image(found, force=True)


def counted(engine: Engine) -> tuple[Engine, Counting]:
    api = Counting(engine.api)
    return replace(engine, api=api), api


def test_image_holds_the_tree_and_says_so(engine: Engine, little: Root) -> None:
    found = engine.api.inspect_image(ensure_image(engine, little))
    assert found["RepoTags"] == [f"ingot/{little.name}:{little.tree[:16]}"]
    assert found["Config"]["Labels"]["ingot.tree"] == little.tree
    made = engine.api.create_container(found["Id"], ["/bin/tool"])["Id"]
    try:
        with tarfile.open(fileobj=io.BytesIO(b"".join(engine.api.export(made)))) as tar:
            members = {member.name.rstrip("/"): member for member in tar}
            data = tar.extractfile("usr/data")
            assert data is not None and data.read() == (little.path / "usr/data").read_bytes()
    finally:
        engine.api.remove_container(made)
    assert members["bin"].linkname == "usr/bin" and members["usr/bin/tool"].mode & 0o777 == 0o755
    made_by_docker = {"build", ".dockerenv", "dev", "etc", "proc", "sys"}
    assert {name.split("/")[0] for name in members} - made_by_docker == {"bin", "usr"}


def test_image_is_built_once_and_anew_when_it_differs(engine: Engine, little: Root) -> None:
    engine, api = counted(engine)
    first = ensure_image(engine, little)
    assert ensure_image(engine, little) == first and api.built == 1

    api.remove_image(first, force=True)
    second = ensure_image(engine, little)
    assert api.built == 2

    foreign(api.api, little)
    assert api.inspect_image(tag_of(little))["Id"] != second
    third = ensure_image(engine, little)
    assert api.built == 3 and api.inspect_image(tag_of(little))["Id"] == third
    assert labels_of(little).items() <= api.inspect_image(third)["Config"]["Labels"].items()

    little.path.with_name("docker.json").write_text('{"image": "sha256:another"}')
    ensure_image(engine, little)
    assert api.built == 4

    little.path.with_name("docker.json").unlink()  # as when a damaged tree is unpacked anew
    ensure_image(engine, little)
    assert api.built == 5


def foreign(api: Any, root: Root) -> None:
    """Builds an image with the root's tag and labels, but with something else in it."""
    tree = root.path.parent / "foreign"
    tree.mkdir()
    (tree / "bad").write_text("bad")
    list(api.build(fileobj=context(tree), custom_context=True, tag=tag_of(root), labels=labels_of(root), rm=True))


def test_two_at_once_build_one(engine: Engine, little: Root) -> None:
    engine, api = counted(engine)
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(ensure_image(engine, little))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert api.built == 1 and len(found) == 3 and len(set(found)) == 1


def test_a_build_that_fails_names_the_root(engine: Engine, little: Root, tmp_path: Path,
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM scratch\nCOPY nothing/ /\n")
    monkeypatch.setattr("toolchain.executors.docker.image.DOCKERFILE", bad)
    with pytest.raises(UserError) as caught:
        ensure_image(engine, little)
    assert f"image of the root {little.name}" in caught.value.what and "nothing" in caught.value.what


def test_the_dockerfile_at_the_top_is_the_one_that_is_used() -> None:
    assert (CHECKOUT / "Dockerfile").resolve() == CHECKOUT / "toolchain/executors/docker/Dockerfile"
