"""hello: two objects, one program. `doit` builds it, `doit test` tries it, `doit release` packs it."""

from toolchain import DOIT_CONFIG as PLUGIN
from toolchain import stage, tasks

greet, main = (
    stage(f"compile:{name}", inputs=[f"{name}.c", "greet.h"], outputs=[f"{name}.o"], tools=["gcc", "as"],
          argv=["gcc", "-O2", "-Wall", "-c", f"{name}.c"], doc=f"compiles {name}.c")
    for name in ("greet", "hello"))

stage("hello", inputs={"greet.o": greet["greet.o"], "hello.o": main["hello.o"]}, outputs=["hello"],
      argv=["gcc", "-static", "greet.o", "hello.o", "-o", "hello"], tools=["gcc", "ld"], doc="links the program")

DOIT_CONFIG = {**PLUGIN, "default_tasks": ["hello"]}


def task_stages():
    """Every stage above, as a doit task."""
    return tasks()


def task_test():
    """tries the program"""
    return {"file_dep": ["build/hello"], "actions": ['test "$(build/hello doit)" = "hello, doit"']}


def task_release():
    """packs the program"""
    return {"file_dep": ["build/hello"], "targets": ["hello.tar"], "actions": ["tar -cf hello.tar -C build hello"]}
