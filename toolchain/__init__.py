"""A doit plugin: content-addressed stages, a store, and an explanation for every rebuild.

    from toolchain import DOIT_CONFIG, stage, tasks

    hello = stage("hello", inputs=["hello.c"], argv=["gcc", "hello.c", "-o", "hello"], outputs=["hello"], tools=["gcc"])

    def task_stages():
        return tasks()
"""

from toolchain.errors import UserError
from toolchain.plugin import DOIT_CONFIG, session, stage, tasks
from toolchain.stage import Download, Ref, Stage

__version__ = "0.1.0"
__all__ = ["DOIT_CONFIG", "Download", "Ref", "Stage", "UserError", "session", "stage", "tasks"]
