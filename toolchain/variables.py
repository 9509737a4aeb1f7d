"""The `name=value` words of the command line, and what each part of the project knows of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from toolchain.errors import UserError, meant

# What every stage and command honours.
COMMON = {
    "toolchain": "how stages are run: auto, sandbox, docker, nix or host (default auto)",
    "remote": "the address of a shared cache (docs/sharing.md)",
    "remote_push": "1: what is built here is uploaded to it",
    "data_dir": "a folder that is tried before any download",
    "debug": "1 prints tracebacks",
}


def from_command_line() -> dict[str, str]:
    """The variables of this run; empty while doit has not read its command line."""
    from doit import doit_cmd

    found = doit_cmd._CMDLINE_VARS
    return dict(found) if found else {}


def of_commands() -> dict[str, str]:
    """Those of the commands that the wheel brings; asked for where there is a word to look up."""
    from toolchain.commands import cache, explain, toolchain

    return {**toolchain.VARIABLES, **cache.VARIABLES, **explain.VARIABLES}


def check(given: Mapping[str, str], known: Iterable[str]) -> None:
    """Raises UserError for a variable that nobody knows, naming the nearest that somebody does."""
    names = sorted(set(known))
    for name in given:
        if name not in names:
            raise UserError(f"no command or stage knows the variable {name}={given[name]}",
                            f"{meant(name, names, '=')}known are: {', '.join(names)}")
