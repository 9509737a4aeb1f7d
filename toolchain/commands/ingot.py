"""The variables that ingot's own commands know; dodo.py tells the session, which refuses all others."""

from __future__ import annotations

from toolchain.commands.flash import VARIABLES as FLASH
from toolchain.commands.fuzz import VARIABLES as FUZZ
from toolchain.commands.infer import VARIABLES as INFER
from toolchain.commands.release import VARIABLES as RELEASE
from toolchain.commands.reproduce import VARIABLES as REPRODUCE
from toolchain.commands.test import VARIABLES as TEST
from toolchain.commands.validate import VARIABLES as VALIDATE
from toolchain.commands.verify import VARIABLES as VERIFY
from toolchain.own_model import VARIABLES as OWN
from toolchain.qemu.options import VARIABLES as BOOT

VARIABLES = {"image": "the recipe: images/NAME.yaml (default: tales)", **OWN, **BOOT, **TEST, **FUZZ, **FLASH,
             **RELEASE, **REPRODUCE, **VERIFY, **INFER, **VALIDATE}
