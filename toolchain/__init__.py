"""A doit plugin: content-addressed stages, a store, and an explanation for every rebuild.

    from toolchain import DOIT_CONFIG, stage, tasks

    hello = stage("hello", inputs=["hello.c"], argv=["gcc", "hello.c", "-o", "hello"], outputs=["hello"], tools=["gcc"])

    def task_stages():
        return tasks()

The names below are the public API, and what a release may not change without saying so:

    DOIT_CONFIG  what doit is to use: our reporter, threads, no database
    stage        declares a stage, returns it; `made["file"]` is its output as another stage's input
    tasks        all declared stages as doit tasks
    session      this run: `get(name, default)` is a variable of the command line, `root` the project's folder
    Stage, Ref   what `stage` and `made["file"]` return
    Download     a pinned file from outside, for stage(download=…)
    UserError    an error that a user reads: what, and a hint

docs/plugin.md says the rest.
"""

from toolchain.errors import UserError
from toolchain.plugin import DOIT_CONFIG, session, stage, tasks
from toolchain.stage import Download, Ref, Stage

__version__ = "0.1.0"
__all__ = ["DOIT_CONFIG", "Download", "Ref", "Stage", "UserError", "session", "stage", "tasks"]
