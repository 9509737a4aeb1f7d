""".github/workflows: by the public schema, with the least rights, and with commands that there are."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.project import ROOT
from toolchain import variables
from toolchain.commands.ingot import VARIABLES

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
BUILT_IN = {"list", "info", "clean", "help", "run"}  # of doit's own commands, what a workflow may want

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class Loader(yaml.SafeLoader):
    """YAML 1.2 in one thing: `on` is a word, not True."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:bool" or first in "tTfF"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()}


def read(path: Path) -> dict[str, Any]:
    return dict(yaml.load(path.read_text(encoding="utf-8"), Loader))


def steps() -> list[tuple[str, dict[str, Any]]]:
    return [(f"{path.name}:{name}", step) for path in WORKFLOWS for name, job in read(path)["jobs"].items()
            for step in job["steps"]]


def scripts() -> list[tuple[str, str]]:
    return [(where, step["run"]) for where, step in steps() if "run" in step]


def test_there_are_three() -> None:
    assert [path.name for path in WORKFLOWS] == ["fuzz.yml", "release.yml", "test.yml"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_the_public_schema(path: Path) -> None:
    import check_jsonschema
    import jsonschema

    schema = Path(check_jsonschema.__file__).parent / "builtin_schemas/vendor/github-workflows.json"
    found = json.loads(schema.read_text())
    check = jsonschema.validators.validator_for(found)(found)
    assert [f"{list(error.path)}: {error.message}" for error in check.iter_errors(read(path))] == []
    broken = {**read(path), "jobs": {"x": {"runs-on": "here", "steps": [{"uses": 1}]}}}
    assert not check.is_valid(broken), "the schema looks at steps"


def test_rights_are_the_least() -> None:
    """Nothing may write but the one job that publishes, and that runs no line of the checkout."""
    for path in WORKFLOWS:
        flow = read(path)
        assert flow["permissions"] in ({}, {"contents": "read"}), path.name
        assert "pull_request_target" not in flow["on"] and "workflow_run" not in flow["on"]
        for name, job in flow["jobs"].items():
            rights = job.get("permissions", flow["permissions"])
            if (path.name, name) == ("release.yml", "publish"):
                assert rights == {"contents": "write", "id-token": "write", "attestations": "write"}
                assert not any("actions/checkout" in step.get("uses", "") for step in job["steps"])
                assert not any("./doit" in step.get("run", "") for step in job["steps"])
            else:
                assert rights == {"contents": "read"}, name
    for where, step in steps():
        if "actions/checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False, where


def test_secrets_reach_one_step_alone() -> None:
    release = (ROOT / ".github/workflows/release.yml").read_text()
    assert re.findall(r"secrets\.(\w+)", release) == ["INGOT_REMOTE_TOKEN"]
    (script,) = [step["run"] for _, step in steps() if "secrets." in str(step)]
    assert "./doit release" in script
    assert "secrets." not in (ROOT / ".github/workflows/test.yml").read_text()


def test_actions_are_pinned_by_commit() -> None:
    pins: dict[str, set[str]] = {}
    for path in WORKFLOWS:
        for line in path.read_text().splitlines():
            if "uses:" not in line:
                continue
            match = re.fullmatch(r"\s*- uses: (actions/[\w/-]+)@([0-9a-f]{40}) # v\d+\.\d+\.\d+", line)
            assert match, line
            pins.setdefault(match[1], set()).add(match[2])
    assert all(len(commits) == 1 for commits in pins.values()), pins


def test_scripts_hold_no_expressions() -> None:
    """What somebody else may have written (a branch's name) reaches a script as a variable, never as its text."""
    for where, script in scripts():
        assert "${{" not in script, where


def test_commands_and_variables_are_there() -> None:
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    commands = {*setup["tool"]["doit"]["plugins"]["command"], *BUILT_IN}
    known = {**variables.COMMON, **variables.of_commands(), **VARIABLES, "from": ""}
    seen = set()
    for where, script in scripts():
        for line in re.sub(r"\\\n", " ", script).splitlines():
            words = shlex.split(line)
            if words[:1] == [".ci/run"]:
                assert (ROOT / ".ci/run").is_file()
                seen.add(".ci/run")
            if words[:1] != ["./doit"] or words[1] == "--version":
                continue
            assert words[1] in commands, f"{where}: {line}"
            seen.add(words[1])
            for word in words[2:]:
                assert "=" not in word or word.partition("=")[0] in known, f"{where}: {word}"
    assert seen == {".ci/run", "fuzz", "release", "verify", "reproduce"}


def test_every_job_ends() -> None:
    for path in WORKFLOWS:
        assert all("timeout-minutes" in job for job in read(path)["jobs"].values()), path.name


def test_nothing_is_published_that_was_not_checked_and_made_again() -> None:
    jobs = read(ROOT / ".github/workflows/release.yml")["jobs"]
    assert set(jobs["publish"]["needs"]) == {"build", "reproduce"}
    assert "INGOT_REMOTE" not in str(jobs["reproduce"])
    said = [step["run"] for step in jobs["reproduce"]["steps"] if "./doit" in step.get("run", "")]
    assert [shlex.split(line)[1] for line in said] == ["verify", "reproduce"]


def test_the_cache_is_read_by_all_and_grows_with_the_default_branch() -> None:
    """One that was saved under a key never changes: the key must be new each time, and an older one must do."""
    found = [step for _, step in steps() if "actions/cache" in step.get("uses", "")]
    assert not any("actions/cache" in str(job) for path in WORKFLOWS if path.name != "test.yml"
                   for job in read(path)["jobs"].values()), "a release has none"
    restore, save = found
    assert "/restore@" in restore["uses"] and "/save@" in save["uses"]
    assert restore["with"]["path"] == save["with"]["path"] and restore["with"]["key"] == save["with"]["key"]
    assert save["with"]["key"].removesuffix("${{ github.sha }}") == restore["with"]["restore-keys"]
    assert save["if"] == "github.event_name == 'push' && github.ref_name == github.event.repository.default_branch"


def test_strangers_changes_run_on_the_forge_s_machines() -> None:
    """A privileged container is as good as root on the machine, so it must be one that is thrown away."""
    for job in read(ROOT / ".github/workflows/test.yml")["jobs"].values():
        matrix = job.get("strategy", {}).get("matrix", {}).get("include", [])
        for name in [one["os"] for one in matrix] or [job["runs-on"]]:
            assert re.fullmatch(r"(ubuntu|windows|macos)-[0-9.]+", name)


ELSEWHERE = """
import sys
for name in ("fcntl", "resource", "pwd", "grp", "termios", "pty", "tty"):
    sys.modules[name] = None  # what a Python on Windows has not
import pytest
sys.exit(pytest.main(sys.argv[1:]))
"""


def test_the_launcher_s_tests_need_no_unix() -> None:
    """As the workflow calls them, in a Python that lacks what Windows lacks."""
    launcher = read(ROOT / ".github/workflows/test.yml")["jobs"]["launcher"]
    (line,) = [step["run"] for step in launcher["steps"] if "pytest" in step.get("run", "")]
    matrix = {one["os"]: one["tests"].split() for one in launcher["strategy"]["matrix"]["include"]}
    assert all((ROOT / test).is_file() for tests in matrix.values() for test in tests)
    (tests,) = [tests for os, tests in matrix.items() if os.startswith("windows")]
    words = shlex.split(line)
    assert words[:3] == ["python", "-m", "pytest"] and words[-1] == "$TESTS"
    done = subprocess.run([sys.executable, "-c", ELSEWHERE, *words[3:-1], *tests], cwd=ROOT, text=True,
                          capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
