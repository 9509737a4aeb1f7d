"""The variables that ingot's own commands know; dodo.py tells the session, which refuses all others."""

from __future__ import annotations

from toolchain.commands.cache import VARIABLES as CACHE
from toolchain.commands.explain import VARIABLES as EXPLAIN
from toolchain.commands.test import VARIABLES as TEST
from toolchain.commands.toolchain import VARIABLES as ROOTS
from toolchain.qemu.options import VARIABLES as BOOT

VARIABLES = {"image": "the recipe: images/NAME.yaml (default: tales)", **BOOT, **TEST, **ROOTS, **CACHE,
             **EXPLAIN}
