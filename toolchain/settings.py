"""What a user always wants, so that it need not be typed: $XDG_CONFIG_HOME/ingot/settings.yaml."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from toolchain.errors import UserError, meant

KNOWN = {
    "remote": "the address of a shared cache",
    "remote_push": "1: what is built here is uploaded",
    "toolchain": "how stages are run",
    "data_dir": "a folder that is tried before any download",
}
_SWITCH = {"0": "0", "false": "0", "no": "0", "off": "0", "1": "1", "true": "1", "yes": "1", "on": "1"}


def settings_file() -> Path:
    """`$XDG_CONFIG_HOME/ingot/settings.yaml`, else `~/.config/ingot/settings.yaml`."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "ingot" / "settings.yaml"


def settings() -> dict[str, str]:
    """The variables of the settings file, as the command line would give them; empty where there is no file."""
    path = settings_file()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8"
        raise UserError(f"{path} cannot be read: {reason}", "mend the file, or move it away") from None
    return _read(path, text)


def _read(path: Path, text: str) -> dict[str, str]:
    import yaml

    try:
        node: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as exc:
        line = exc.problem_mark.line + 1 if exc.problem_mark else 1
        raise UserError(f"{path}:{line}: not valid YAML: {exc.problem}", "a setting is a line: name: value") from None
    except yaml.YAMLError:
        raise UserError(f"{path}: not valid YAML", "a setting is a line: name: value") from None
    if node is None:
        return {}
    if node.id != "mapping":
        raise UserError(f"{path}:{node.start_mark.line + 1}: not a setting", "a setting is a line: name: value")
    found: dict[str, str] = {}
    for key, value in node.value:
        name, where = str(key.value), f"{path}:{key.start_mark.line + 1}"
        if key.id != "scalar" or name not in KNOWN:
            raise UserError(f"{where}: there is no setting {name}",
                            f"{meant(name, KNOWN)}known are: {', '.join(KNOWN)}")
        if name in found:
            raise UserError(f"{where}: {name} is given twice", "keep one of them")
        found[name] = _value(where, name, value)
    return found


def _value(where: str, name: str, node: Any) -> str:
    """What a setting says, in the words of the command line."""
    if node.id != "scalar" or not node.value:
        raise UserError(f"{where}: {name} has no value", f"{name} is {KNOWN[name]}")
    value = str(node.value)
    if name == "remote_push":
        if value.lower() not in _SWITCH:
            raise UserError(f"{where}: remote_push is neither 1 nor 0", "write remote_push: 1")
        return _SWITCH[value.lower()]
    if name == "data_dir":
        folder = Path(value).expanduser()
        if not folder.is_absolute():
            raise UserError(f"{where}: data_dir is relative", "a setting holds everywhere: name the folder from / or ~")
        return str(folder)
    return value
