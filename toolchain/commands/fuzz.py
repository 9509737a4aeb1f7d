"""`./doit fuzz`: the fuzz targets of efi_src/fuzz/, under the sanitizers."""

from __future__ import annotations

import time
from pathlib import Path

from toolchain import fuzz
from toolchain.commands import IngotCommand
from toolchain.errors import UserError, meant
from toolchain.files import from_user
from toolchain.plugin import Session
from toolchain.ui import time_text

VARIABLES = {
    "target": "fuzz: only this target (default: all)",
    "seconds": "fuzz: how long each target is run (default 60, where runs= says nothing)",
    "runs": "fuzz: how many inputs each target is run with",
    "input": "fuzz: run the target over this file alone, a finding say",
    "keep": "fuzz: 1 replaces tests/fuzz/corpus/ by the smallest corpus that reaches as much as all that was found",
}


class Fuzz(IngotCommand):
    """Builds the targets in the root dev and runs them, as many at once as there are cores."""

    name = "fuzz"
    doc_purpose = "run the fuzz targets of efi_src/fuzz/"
    doc_usage = "[target=NAME [input=FILE]] [seconds=N] [runs=N] [keep=1]"
    doc_description = "\n".join(f"{name}= {text}" for name, text in VARIABLES.items())
    if_ended = "what was found so far is kept in build/fuzz"

    def go(self, current: Session, names: list[str]) -> int:
        """Exit status 1 when something was found."""
        targets, limits = chosen(current), limits_of(current)
        file = input_of(current, targets)
        keep = current.get("keep", "0") not in ("", "0")
        fuzz.build(current, fuzz.declare(targets))
        fuzzers = [fuzz.Fuzzer(name, current.graph.executor, current.graph.store) for name in targets]
        if file is not None:
            return 1 if fuzzers[0].once(file, current.ui.say) else 0
        if keep:
            for one in fuzzers:
                current.ui.say(f"{one.name}: {one.keep()} files in {fuzz.KEPT / one.name}.tar.xz")
            return 0
        found = fuzz.side_by_side([lambda one=one: _run(current, one, limits) for one in fuzzers])  # type: ignore[misc]
        return 1 if any(found) else 0


def chosen(current: Session) -> list[str]:
    """The targets to run."""
    every = fuzz.names()
    if "target" not in current.given:
        return every
    name = current.given["target"]
    if name not in every:
        raise UserError(f"there is no fuzz target {name}", f"{meant(name, every)}there are: {', '.join(every)}")
    return [name]


def limits_of(current: Session) -> list[str]:
    """seconds= and runs= as libFuzzer has them."""
    words = {"seconds": "-max_total_time", "runs": "-runs"}
    given = {name: current.given[name] for name in words if name in current.given} or {"seconds": "60"}
    for name, text in given.items():
        if not (text.isascii() and text.isdigit() and 0 < int(text) < 2**31):
            raise UserError(f"{name}={text} is no whole number above 0", f"{name}=1000, say")
    return [f"{words[name]}={int(text)}" for name, text in given.items()]


def input_of(current: Session, targets: list[str]) -> Path | None:
    """The file of input=."""
    if "input" not in current.given:
        return None
    file = from_user(current.given["input"])
    if "target" not in current.given:
        raise UserError("input= needs the target that is to read it", f"target=NAME, one of: {', '.join(targets)}")
    if not file.is_file():
        raise UserError(f"input={current.given['input']} is not a file", "name a file that a fuzzer has written")
    return file


def _run(current: Session, one: fuzz.Fuzzer, limits: list[str]) -> bool:
    """Whether something was found."""
    label, begun = f"fuzz {one.name}", time.monotonic()
    shown = ""

    def told(tally: fuzz.Tally) -> None:
        nonlocal shown
        shown = tally.text()
        tell(tally.runs, None)

    with current.ui.running(label):
        tell = current.ui.progress(label, lambda done: shown)
        tally = one.run(limits, told)
    tally.speed = round(tally.runs / max(time.monotonic() - begun, 0.001))
    if tally.status == 0:
        current.ui.say(f"{one.name}: {tally.text()}, {time_text(time.monotonic() - begun)}")
        return False
    for line in tally.last:
        current.ui.line(label, line)
    for path in tally.findings:
        current.ui.say(f"{one.name}: found {path}\nhint: ./doit fuzz target={one.name} input={path}")
    if not tally.findings:
        current.ui.say(f"{one.name}: ended with status {tally.status}\nhint: the lines above say why")
    return True
