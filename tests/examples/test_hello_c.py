"""examples/hello-c: a project that has nothing of ingot but the installed wheel."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.examples.conftest import Hello
from tests.executors.conftest import needs
from tests.project import ROOT
from toolchain.executors.choose import sandbox_trouble
from toolchain.packages import missing
from toolchain.roots import lockfile, wanted
from toolchain.roots.folder import LOCKS
from toolchain.store import default_folder


def lines(done: subprocess.CompletedProcess[str], how: str) -> list[str]:
    """The stages that a run built, or restored, in order."""
    return sorted(line.split()[1] for line in done.stderr.splitlines() if line.split()[:1] == [how])


ALL = ["compile:greet", "compile:hello", "hello"]


# -- the wheel -------------------------------------------------------------------------------------


def test_the_wheel_holds_the_plugin_alone(installed: Path) -> None:
    [wheel] = installed.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"toolchain", "ingot"}
    here = {str(path.relative_to(ROOT)) for path in (ROOT / "toolchain").rglob("*")
            if path.is_file() and "__pycache__" not in path.parts}
    assert {name for name in names if name.startswith("toolchain/")} == here
    data = {"toolchain/packages.yaml", "toolchain/cc.lock", "toolchain/executors/docker/Dockerfile",
            "toolchain/executors/docker/init.sh"}
    assert data <= here


def test_what_the_wheel_adds_to_doit(installed: Path) -> None:
    [wheel] = installed.glob("*.whl")
    archive = zipfile.ZipFile(wheel)
    [points] = [name for name in archive.namelist() if name.endswith("/entry_points.txt")]
    text = archive.read(points).decode()
    commands = re.findall(r"^(\w+) = ", text.partition("[doit.COMMAND]")[2].partition("[")[0], re.M)
    assert set(commands) == {"plan", "explain", "cache", "toolchain", "lock", "doctor", "forget"}


# -- a build ---------------------------------------------------------------------------------------


def test_it_builds_in_the_sandbox_and_runs(hello: Hello) -> None:
    needs("sandbox", sandbox_trouble(default_folder()))
    assert lines(hello.doit(), "built") == ALL
    assert subprocess.check_output([hello.folder / "build/hello"], text=True) == "hello, world\n"
    record = json.loads((hello.folder / "build/.state/hello.json").read_text())
    assert record["executor"] == "sandbox" and record["fields"]["toolchain"].startswith("cc:")
    done = hello.doit()
    assert (done.stdout, done.stderr) == ("", "up to date: 3 stages\n")
    assert not list(hello.folder.glob(".doit.db*"))


def test_side_by_side(hello: Hello) -> None:
    assert lines(hello.doit("-n", "2"), "built") == ALL
    assert (hello.folder / "build/hello").exists()


def test_another_clone_takes_it_all_from_the_store(hello: Hello, tmp_path: Path) -> None:
    hello.doit()
    other = replace(hello, folder=tmp_path / "clone")
    subprocess.run(["cp", "-r", hello.folder, other.folder], check=True)
    subprocess.run(["rm", "-r", other.folder / "build"], check=True)
    done = other.doit()
    assert (lines(done, "built"), lines(done, "restored")) == ([], ALL)


def test_an_edit_rebuilds_its_object_and_the_program(hello: Hello) -> None:
    hello.doit()
    hello.edit("hello.c", '"world"', '"again"')
    plan = {row.split()[1]: row.split()[0] for row in hello.doit("plan").stdout.splitlines()[1:]}
    assert plan == {"compile:greet": "stay", "compile:hello": "run", "hello": "run"}
    assert lines(hello.doit(), "built") == ["compile:hello", "hello"]
    assert subprocess.check_output([hello.folder / "build/hello"], text=True) == "hello, again\n"
    hello.edit("hello.c", '"again"', '"world"')
    done = hello.doit()
    assert (lines(done, "built"), lines(done, "restored")) == ([], ["compile:hello", "hello"])


def test_a_comment_does_not_link(hello: Hello) -> None:
    hello.doit()
    hello.edit("greet.c", "return text;", "return text; /* the caller's own */")
    assert lines(hello.doit(), "built") == ["compile:greet"]


def test_why_and_what_it_saved(hello: Hello) -> None:
    hello.doit()
    hello.edit("hello.c", '"world"', '"again"')
    found = json.loads(hello.doit("explain", "compile:hello", "json=1").stdout)
    assert "hello.c" in json.dumps(found) and "greet.h" not in json.dumps(found["changes"])
    assert "hello.c" in hello.doit("explain", "hello").stdout
    hello.doit()
    assert "5 built" in hello.doit("cache").stdout
    assert "all right" in hello.doit("cache", "verify=1").stdout


def test_damage_is_mended(hello: Hello) -> None:
    hello.doit()
    good = (hello.folder / "build/hello").read_bytes()
    with (hello.folder / "build/hello").open("r+b") as file:
        file.seek(1000)
        file.write(bytes([good[1000] ^ 1]))
    assert "hello differs" in hello.doit("plan", "hello").stdout
    assert lines(hello.doit(), "restored") == ["hello"]
    assert (hello.folder / "build/hello").read_bytes() == good


def test_on_the_host(hello: Hello) -> None:
    lacking = [need.what for need in missing() if need.what in ("gcc", "ld", "/usr/include/stdio.h")]
    needs("a compiler", f"no {', '.join(lacking)}" if lacking else None)
    hello.doit()
    assert lines(hello.doit("toolchain=host"), "built") == ALL  # other tools, other keys
    assert subprocess.check_output([hello.folder / "build/hello"], text=True) == "hello, world\n"


def test_an_undeclared_header_is_named(hello: Hello) -> None:
    needs("sandbox", sandbox_trouble(default_folder()))
    (hello.folder / "secret.h").write_text("#define SECRET 1\n")
    hello.edit("hello.c", '#include "greet.h"', '#include "greet.h"\n#include "secret.h"')
    done = hello.doit(status=1)
    assert "stage compile:hello" in done.stderr and "secret.h, which is not among its inputs" in done.stderr
    assert "hint: declare it" in done.stderr and "Traceback" not in done.stderr
    hello.edit("dodo.py", '"greet.h"]', '"greet.h", "secret.h"]')
    assert "hello" in lines(hello.doit(), "built")


# -- its own tasks -------------------------------------------------------------------------------------


def test_tasks_named_test_and_release_are_its_own(hello: Hello) -> None:
    assert [row.split()[0] for row in hello.doit("list").stdout.splitlines()] == [
        "compile", "hello", "release", "test"]
    done = hello.doit("test")
    assert lines(done, "built") == ALL and ".  test" in done.stderr
    hello.doit("release")
    assert subprocess.check_output(["tar", "-tf", hello.folder / "hello.tar"], text=True) == "hello\n"
    hello.edit("greet.c", '"hello, %s"', '"hullo, %s"')
    assert "test" in hello.doit("test", status=1).stderr  # it is the new program that is tried


def test_stages_do_not_need_the_memory_backend(hello: Hello) -> None:
    """A project with slow tasks of its own keeps doit's database: it decides those, and no stage."""
    hello.edit("dodo.py", '"default_tasks"', '"backend": "dbm", "default_tasks"')
    hello.doit("release")
    assert ".  release" not in hello.doit("release").stderr
    hello.doit("forget", "release")
    assert ".  release" in hello.doit("release").stderr
    (hello.folder / "build/hello").write_bytes(b"damaged")
    assert lines(hello.doit("hello"), "restored") == ["hello"]


def test_doits_own_commands(hello: Hello) -> None:
    hello.doit()
    states = {row.split()[1]: row.split()[0] for row in hello.doit("list", "--all", "-s").stdout.splitlines()}
    assert {states[name] for name in ALL} == {"U"}
    hello.doit("clean", "hello")
    assert not (hello.folder / "build/hello").exists()
    assert lines(hello.doit(), "restored") == ["hello"]
    assert "forgot hello" in hello.doit("forget", "hello").stdout
    assert lines(hello.doit(), "built") == ["hello"]


def test_the_code_of_the_page_works(hello: Hello) -> None:
    [code] = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/plugin.md").read_text(), re.M | re.S)
    (hello.folder / "dodo.py").write_text(code)
    assert lines(hello.doit("level=0"), "built") == ALL
    assert subprocess.check_output([hello.folder / "build/hello"], text=True) == "hello, world\n"


def test_the_packages_of_the_page_can_be_locked(tmp_path: Path) -> None:
    [text] = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs/plugin.md").read_text(), re.M | re.S)
    (tmp_path / "packages.yaml").write_text(text)
    assert list(wanted.read(tmp_path / "packages.yaml")) == ["cc"]


# -- nothing of ingot's own shows ----------------------------------------------------------------------


@pytest.mark.parametrize("words, status", [
    (("help",), 0), (("help", "plan"), 0), (("help", "lock"), 0), (("help", "toolchain"), 0), (("doctor",), 0),
    (("doctor", "toolchain=host"), None), (("forget",), 1), (("plan", "nosuch"), 1), (("lock",), 1),
    (("toolchain", "nosuch"), 1), (("explain",), 1), (("explain", "nosuch"), 1), (("help", "cache"), 0),
    (("cache",), 0), (("cache", "gc=x"), 1), (("nmae=x",), 3), (("image=tales",), 3), (("toolchain=none",), 3),
])
def test_texts_fit_any_project(words: tuple[str, ...], status: int | None, hello: Hello) -> None:
    done = subprocess.run([hello.bin / "doit", *words], cwd=hello.folder, env=hello.env, text=True, timeout=120,
                          capture_output=True)
    text = done.stdout + done.stderr
    assert status is None or done.returncode == status, text
    assert "Traceback" not in text
    for word in ("./doit", "tales.", "images/", "qemu", "QEMU", "boot", "EFI", "OVMF", "mtools"):
        assert word not in text, text


def test_a_misspelt_variable(hello: Hello) -> None:
    done = hello.doit("toolchian=host", status=3)
    assert "no command or stage knows the variable toolchian=host" in done.stderr
    assert "did you mean toolchain=?" in done.stderr
    assert not (hello.folder / "build/hello").exists()


def test_a_variable_of_its_own(hello: Hello) -> None:
    hello.edit("dodo.py", "import stage, tasks", "import session, stage, tasks")
    hello.edit("dodo.py", '"-O2"', '"-O" + session().get("level", "2")')
    hello.doit("level=2")
    assert lines(hello.doit("level=0"), "built") == ALL
    assert "known are: data_dir, debug, " in (text := hello.doit("levle=0", status=3).stderr) and " level" in text


def test_the_doctor_looks_at_what_the_project_uses(hello: Hello) -> None:
    names = [row.split()[1] for row in hello.doit("doctor").stdout.splitlines() if row[:2] in ("ok", "no")]
    assert names == ["python", "toolchain", "sandbox", "docker", "nix", "cc"]
    hello.edit("dodo.py", '"gcc", "ld"]', '"gcc", "nosuchtool"]')
    row = next(row for row in hello.doit("doctor", "toolchain=host", status=1).stdout.splitlines()
               if "nosuchtool" in row)
    assert row.startswith("no") and "hello use" in row


def test_toolchain_fetches_what_stages_use(hello: Hello) -> None:
    assert [row.split()[0] for row in hello.doit("toolchain").stdout.splitlines()] == ["cc"]


# -- toolchain roots of its own ------------------------------------------------------------------------


def own_root(hello: Hello, name: str) -> None:
    """The cc root that comes with ingot, locked as the project's own under another name."""
    lock = lockfile.decode(lockfile.read(LOCKS / "cc.lock"), "cc.lock")
    (hello.folder / "toolchain").mkdir(exist_ok=True)
    (hello.folder / f"toolchain/{name}.lock").write_bytes(lockfile.encode(replace(lock, root=name)))


def test_a_root_of_its_own(hello: Hello) -> None:
    own_root(hello, "mine")
    hello.edit("dodo.py", 'tools=["gcc", "ld"]', 'root="mine"')
    hello.doit()
    record = json.loads((hello.folder / "build/.state/hello.json").read_text())
    data = (hello.folder / "toolchain/mine.lock").read_bytes()
    assert record["fields"]["toolchain"] == lockfile.identity("mine", data)
    assert [row.split()[0] for row in hello.doit("toolchain").stdout.splitlines()] == ["cc", "mine"]


def test_lock_writes_nothing_outside_the_project(hello: Hello) -> None:
    done = hello.doit("lock", status=1)
    assert f"{hello.folder}/toolchain/packages.yaml does not exist" in done.stderr and "hint: " in done.stderr
    assert not (hello.folder / "toolchain").exists()


def test_a_root_that_is_wanted_but_not_locked(hello: Hello) -> None:
    """ingot's own cc must not stand in for the one that the project asks for."""
    (hello.folder / "toolchain").mkdir()
    (hello.folder / "toolchain/packages.yaml").write_text("suite: bookworm\nroots: {cc: {packages: [gcc]}}\n")
    done = hello.doit(status=3)
    assert "the toolchain root cc has no lock" in done.stderr and "hint: doit lock cc" in done.stderr
    own_root(hello, "cc")
    assert lines(hello.doit(), "built") == ALL


# -- the end -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number, word, status", [
    (signal.SIGINT, "interrupted", 130), (signal.SIGTERM, "terminated", 143)])
@pytest.mark.parametrize("more", [(), ("-n", "2")])
def test_doit_itself_ends_cleanly(number: int, word: str, status: int, more: tuple[str, ...], hello: Hello) -> None:
    with (hello.folder / "dodo.py").open("a") as file:
        file.write('\nstage("slow", outputs=["slow"], argv=["sh", "-c", "echo $$; sleep 60"])\n')
    run = hello.start(*more, "toolchain=host", "slow")
    assert run.stderr is not None
    pid = int(run.stderr.readline().rpartition(" ")[2])  # slow │ PID
    run.send_signal(number)
    _, shown = run.communicate(timeout=30)
    assert run.returncode == status and f"{word}: finished stages are kept" in shown and "Traceback" not in shown
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    if not more:  # a worker thread has no time to tidy up; the next run does
        assert not list((hello.cache / "ingot/tmp").iterdir())
