"""A built project that is a git checkout, as releases want it."""

from __future__ import annotations

import os
import subprocess

from tests.project import ROOT, Project, clone

__all__ = ["clone", "commit", "git"]

# Nothing of this machine's own git configuration; fixed names and times, so that a commit is the same each time.
_GIT = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org",
        "GIT_AUTHOR_DATE": "1700000000 +0000", "GIT_COMMITTER_DATE": "1700000000 +0000"}


def git(project: Project, *words: str) -> str:
    """git in the project's folder."""
    done = subprocess.run(["git", *words], cwd=project.folder, env={**os.environ, **_GIT}, check=True, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True)
    return done.stdout.strip()


def commit(project: Project) -> str:
    """Makes the project a repository, if it is none, and commits all of it; returns the commit."""
    if not (project.folder / ".git").exists():
        git(project, "init", "--quiet")
        (project.folder / ".gitignore").write_text((ROOT / ".gitignore").read_text())
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--allow-empty", "--message", "all")
    return git(project, "rev-parse", "HEAD")
