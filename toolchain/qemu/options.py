"""The variables of `./doit boot`, checked and turned into one frozen value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from toolchain.errors import UserError
from toolchain.files import from_user

# Every variable that boot knows, apart from those that choose the image (image=, model=, tokenizer=).
VARIABLES = {
    "accel": "accelerator: auto, tcg, kvm, whpx or hvf (default auto: the machine's own, else tcg)",
    "cpu": "CPU model: auto, host, max, qemu64 or any name that QEMU knows (default auto)",
    "machine": "board: q35 or pc, or a versioned name of either (default q35)",
    "smp": "number of processors (default 1)",
    "mem": "memory, as 2G or 512M (default 2G)",
    "avx2": "auto, on (adds avx2=on,fma=on to the CPU) or off (default auto)",
    "display": "serial (this terminal) or gui (QEMU's window too) (default serial)",
    "fallback": "0: use the accelerator asked for or fail, and ask nothing of the memory of failures (default 1)",
    "timeout": "seconds until a scripted boot counts as hung (default 600 for each prompt)",
    "raw_exit": "1: exit with QEMU's own status (default 0)",
    "fresh": "1: discard what earlier interactive boots wrote to their copy of this image (default 0)",
    "ovmf": "the UEFI firmware: a *CODE*.fd file, or a folder with one (default: the one that goes with the QEMU)",
    "prompt": "text to continue: a scripted boot, which prints the result and powers off",
    "prompts": "a file of prompts, one a line, for one scripted boot",
    "tokens": "how many tokens to make at most",
    "seed": "seed of the sampler; 0 takes one from the clock (default 1)",
    "temp": "temperature; 0 takes the likeliest token",
    "top_k": "sample from the k likeliest tokens; 0 is all",
    "top_p": "sample from the likeliest tokens that make up this probability",
}

ACCELERATORS = ("auto", "tcg", "kvm", "whpx", "hvf")
SECONDS_PER_PROMPT = 600.0
SEED = "1"  # the program's own; of several prompts each must start from it again

_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?|\.[0-9]+")


@dataclass(frozen=True)
class BootOptions:
    """One boot. `prompts` is None for an interactive one; the sampler's settings are the text to type."""

    image: Path
    accel: str = "auto"
    cpu: str = "auto"
    machine: str = "q35"
    smp: int = 1
    mem: str = "2G"
    avx2: str = "auto"
    display: str = "serial"
    fallback: bool = True
    timeout: float | None = None
    raw_exit: bool = False
    fresh: bool = False
    ovmf: Path | None = None
    host: bool = False  # toolchain=host: this machine's QEMU
    prompts: tuple[str, ...] | None = None
    several: bool = False  # prompts=FILE: boot.json lists the replies
    tokens: str | None = None
    seed: str | None = None
    temp: str | None = None
    top_k: str | None = None
    top_p: str | None = None

    @property
    def seconds(self) -> float:
        """What a scripted boot may take."""
        return self.timeout if self.timeout is not None else SECONDS_PER_PROMPT * max(1, len(self.prompts or ()))

    def settings(self) -> list[str]:
        """The commands that bring the program's settings to what was asked, the seed last."""
        wanted = (("/temp", self.temp), ("/top_k", self.top_k), ("/top_p", self.top_p),
                  ("/max_tokens", self.tokens), ("/seed", self.seed))
        return [f"{command} {value}" for command, value in wanted if value is not None]


def parse(words: Mapping[str, str], image: Path) -> BootOptions:
    """Checks the `name=value` words; those that are not boot's are left to others. Raises UserError."""
    prompts, several = _prompts(words)
    seed = _integer_text(words, "seed", 0, 2**64 - 1)
    return BootOptions(
        image=_image(image),
        accel=_choice(words, "accel", ACCELERATORS),
        cpu=_match(words, "cpu", "auto", r"[A-Za-z0-9][A-Za-z0-9._+-]*(,[a-z0-9._+-]+(=[A-Za-z0-9._-]+)?)*",
                   "try cpu=max, or see the names in: qemu-system-x86_64 -cpu help"),
        machine=_match(words, "machine", "q35", r"q35|pc|pc-(q35|i440fx)-[a-z0-9.]+", "use machine=q35 or machine=pc"),
        smp=_integer(words, "smp", 1, 255, 1),
        mem=_memory(words),
        avx2=_choice(words, "avx2", ("auto", "on", "off")),
        display=_choice(words, "display", ("serial", "gui")),
        fallback=_flag(words, "fallback", True),
        timeout=_seconds(words),
        raw_exit=_flag(words, "raw_exit", False),
        fresh=_flag(words, "fresh", False),
        ovmf=from_user(words["ovmf"]) if words.get("ovmf") else None,
        host=words.get("toolchain") == "host",
        prompts=prompts,
        several=several,
        tokens=_integer_text(words, "tokens", 1, 1_000_000),
        seed=seed or (SEED if several else None),
        temp=_number_text(words, "temp", 100.0),
        top_k=_integer_text(words, "top_k", 0, 1_000_000),
        top_p=_number_text(words, "top_p", 1.0),
    )


def _image(path: Path) -> Path:
    if path.is_dir():
        raise UserError(f"the image {path} is a directory", "name the image file itself, or move the directory away")
    if not path.is_file():
        raise UserError(f"there is no image {path}", "build it first: ./doit image=NAME")
    return path


def _choice(words: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> str:
    value = words.get(name, allowed[0])
    if value not in allowed:
        raise UserError(f"{name}={value} is not a value of {name}=", f"use one of: {', '.join(allowed)}")
    return value


def _match(words: Mapping[str, str], name: str, default: str, pattern: str, hint: str) -> str:
    value = words.get(name, default)
    if not re.fullmatch(pattern, value):
        raise UserError(f"{name}={value} is not a value of {name}=", hint)
    return value


def _flag(words: Mapping[str, str], name: str, default: bool) -> bool:
    value = words.get(name, "1" if default else "0")
    if value not in ("0", "1"):
        raise UserError(f"{name}={value} is not a value of {name}=", f"use {name}=1 or {name}=0")
    return value == "1"


def _integer(words: Mapping[str, str], name: str, low: int, high: int, default: int) -> int:
    value = words.get(name, str(default))
    if not (value.isascii() and value.isdigit()) or not low <= int(value) <= high:
        raise UserError(f"{name}={value} is not a whole number from {low} to {high}", f"as in {name}={max(low, 2)}")
    return int(value)


def _integer_text(words: Mapping[str, str], name: str, low: int, high: int) -> str | None:
    return str(_integer(words, name, low, high, low)) if name in words else None


def _number_text(words: Mapping[str, str], name: str, high: float) -> str | None:
    value = words.get(name)
    if value is None:
        return None
    if not _NUMBER.fullmatch(value) or float(value) > high:
        raise UserError(f"{name}={value} is not a number from 0 to {high:g}", f"as in {name}=0.9")
    return value


def _memory(words: Mapping[str, str]) -> str:
    value = words.get("mem", "2G")
    found = re.fullmatch(r"([0-9]{1,7})([MG])", value.upper())
    if not found or int(found[1]) * (1024 if found[2] == "G" else 1) < 256:
        raise UserError(f"mem={value} is not an amount of memory of at least 256M", "as in mem=2G or mem=512M")
    return found[0]


def _seconds(words: Mapping[str, str]) -> float | None:
    value = words.get("timeout")
    if value is None:
        return None
    if not _NUMBER.fullmatch(value) or float(value) <= 0:
        raise UserError(f"timeout={value} is not a number of seconds", "as in timeout=120")
    return float(value)


def _prompts(words: Mapping[str, str]) -> tuple[tuple[str, ...] | None, bool]:
    if "prompt" in words and "prompts" in words:
        raise UserError("both prompt= and prompts= are given", "use one: prompts=FILE holds one prompt a line")
    if "prompt" in words:
        return (_prompt(words["prompt"], "prompt="),), False
    if "prompts" not in words:
        return None, False
    path = from_user(words["prompts"])
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise UserError(f"prompts={path} is not UTF-8 text", "convert it: iconv -t UTF-8") from None
    except OSError as exc:
        raise UserError(f"prompts={path} cannot be read: {exc.strerror}",
                        "name a file with one prompt a line") from None
    found = tuple(_prompt(line, f"{path}:{number}") for number, line in enumerate(lines, 1) if line)
    if not found:
        raise UserError(f"prompts={path} holds no prompt", "write one prompt a line")
    return found, True


def _prompt(text: str, where: str) -> str:
    text = text.replace("\r\n", "\n")
    if any((ch < " " and ch not in "\n\t") or ch == "\x7f" for ch in text):
        raise UserError(f"{where}: the prompt holds a control character",
                        "newline and tab are allowed, others are keys")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UserError(f"{where}: the prompt is not UTF-8 text", "set a UTF-8 locale, as in LC_ALL=C.UTF-8") from None
    return text
