"""Stages in a real project: nothing undeclared, no host's compiler, and a lock is in the keys that depend on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.executors.conftest import PINNED, needs, nix_trouble
from tests.project import Project
from toolchain.executors.choose import docker_trouble, sandbox_trouble
from toolchain.store import default_folder

DODO = """
from toolchain import DOIT_CONFIG, stage, tasks
one = stage("one", folder="build/one", outputs=["out.txt"], inputs=["declared.txt"], argv={argv!r}, root={root!r})
def task_stages():
    return tasks()
"""


def little(project: Project, argv: list[str], root: str = "cc") -> None:
    """Replaces the graph by one stage."""
    (project.folder / "dodo.py").write_text(DODO.format(argv=argv, root=root))
    for name in ("declared.txt", "secret.txt", "part.h"):
        (project.folder / name).write_text(f"{name}\n")


@pytest.fixture(params=PINNED)
def executor(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    needs(name, {"sandbox": lambda: sandbox_trouble(default_folder()), "docker": docker_trouble,
                 "nix": nix_trouble}[name]())
    return name


@pytest.mark.parametrize(("argv", "missed"), [
    (["sh", "-ec", "cat declared.txt secret.txt > out.txt"], "secret.txt"),
    (["python3", "-c", "open('out.txt', 'w').write(open('secret.txt').read())"], "secret.txt"),
    (["sh", "-ec", "echo '#include \"part.h\"' > x.c; gcc -E x.c -o out.txt"], "part.h"),
])
def test_undeclared_input_fails_with_its_name(project: Project, executor: str, argv: list[str], missed: str) -> None:
    little(project, argv)
    done = project.doit("one", f"toolchain={executor}", status=None)
    assert done.returncode != 0
    assert f"it looked for {missed}, which is not among its inputs" in done.stderr
    assert "hint: declare it" in done.stderr
    little(project, ["sh", "-ec", "cp declared.txt out.txt"])
    project.doit("one", f"toolchain={executor}")
    assert (project.folder / "build/one/out.txt").read_text() == "declared.txt\n"


def test_an_absolute_path_is_no_way_out(project: Project, executor: str) -> None:
    little(project, ["sh", "-ec", f"cp {project.folder}/secret.txt out.txt"])
    done = project.doit("one", f"toolchain={executor}", status=None)
    assert done.returncode != 0 and "it looked for secret.txt, which is not among its inputs" in done.stderr


def test_nothing_of_this_user_leaks_into_a_result(project: Project, executor: str, tmp_path: Path) -> None:
    """Another user name, time zone, locale, umask, home and folder: the same bytes."""
    see = "{ env | sort; id; uname -n; pwd; umask; date +%Z; ls -la /build | wc -l; ls -A /tmp; } > out.txt"
    digests = set()
    for number, extra in enumerate(({}, {"TZ": "Asia/Tokyo", "LC_ALL": "tr_TR.UTF-8", "USER": "eve", "LOGNAME": "eve",
                                         "HOME": str(tmp_path), "SECRET": "1", "PYTHONPATH": "/tmp"})):
        little(project, ["sh", "-ec", f": {number}; {see}"])  # another key: built again
        old = os.umask(0o077 if extra else 0o022)
        try:
            project.doit("one", f"toolchain={executor}", env=extra)
        finally:
            os.umask(old)
        digests.add((project.folder / "build/one/out.txt").read_text())
    assert len(digests) == 1, digests


def keys(project: Project) -> dict[str, str]:
    """Each stage's toolchain digest and key, as doit's plan would use them."""
    code = textwrap.dedent("""
        import json, os, sys, runpy
        from toolchain.key import key_of
        from toolchain.plugin import session
        runpy.run_path("dodo.py")
        graph = session().graph
        print(json.dumps({s.name: key_of(graph.fields(s)) for s in graph.order() if graph.fields(s)}))
    """)
    done = subprocess.run([sys.executable, "-c", code], cwd=project.folder, env=project.env, text=True,
                          capture_output=True, check=True)
    return dict(json.loads(done.stdout))


def test_a_byte_of_a_lock_changes_the_keys_of_its_root_and_no_other(project: Project) -> None:
    (project.folder / "dodo.py").write_text(textwrap.dedent("""
        from toolchain import Download, stage, tasks
        fetched = stage("fetched", outputs=["f"], download=Download("f", (), "0" * 64))
        for root in ("cc", "vm", "dev", "ml"):
            stage("in-" + root, outputs=["o" + root], inputs=["declared.txt"], argv=["true"], root=root)
    """))
    (project.folder / "declared.txt").touch()
    before = keys(project)
    assert set(before) == {"fetched", "in-cc", "in-vm", "in-dev", "in-ml"} and len(set(before.values())) == 5
    for root in ("cc", "vm", "dev", "ml"):
        lock = project.folder / f"toolchain/{root}.lock"
        text = lock.read_bytes()
        place = text.rindex(b'"') - 1  # some byte of the last value
        lock.write_bytes(text[:place] + bytes([text[place] ^ 1]) + text[place + 1:])
        after = keys(project)
        assert {name for name in before if before[name] != after[name]} == {f"in-{root}"}
        lock.write_bytes(text)
    assert keys(project) == before


def test_the_hosts_compiler_is_not_asked(smoke: Project, tmp_path: Path) -> None:
    """Another gcc, ld and python3 on PATH: everything is up to date, and a stage built anew has the same bytes."""
    folder = tmp_path / "swapped"
    folder.mkdir()
    for name in ("gcc", "cc", "ld", "as", "objcopy", "mformat", "sgdisk", "sh.real"):
        (folder / name).write_text("#!/bin/sh\necho swapped >&2\nexit 1\n")
        (folder / name).chmod(0o755)
    env = {"PATH": f"{folder}:{os.environ['PATH']}"}
    done = smoke.doit("image=smoke", env=env)
    assert "built" not in done.stderr.replace("0 built", "")
    before = smoke.outputs_of("link")
    for stage in ("compile:engine/text", "link", "image"):
        smoke.doit("forget", stage, "image=smoke")
    done = smoke.doit("image=smoke", env=env)
    assert "built" in done.stderr and smoke.outputs_of("link") == before
