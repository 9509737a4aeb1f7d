"""report.html: one self-contained page of what the rungs reached. Nothing in it is fetched, nothing in it runs."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

from toolchain.ui import time_text
from toolchain.validation.chart import chart


def page(rungs: Sequence[Mapping[str, Any]], skipped: Mapping[str, str]) -> str:
    """`rungs` as in validate.json; `skipped`: a rung's name and why."""
    passed = sum(bool(rung["passed"]) for rung in rungs)
    rows = "\n".join(
        f'<tr><th scope="row"><a href="#{_e(rung["name"])}">{_e(rung["name"])}</a></th><td>{_verdict(rung)}</td>'
        f'<td class="number">{time_text(rung["seconds"])}</td></tr>' for rung in rungs)
    rows += "".join(f'\n<tr><th scope="row">{_e(name)}</th><td>not run: {_e(why)}</td><td></td></tr>'
                    for name, why in skipped.items())
    template = Template((Path(__file__).parent / "page.html").read_text("utf-8"))
    return template.substitute(
        passed=passed, of=len(rungs), seconds=time_text(sum(rung["seconds"] for rung in rungs)), rows=rows,
        rungs="\n".join(map(_section, rungs)))


def _section(rung: Mapping[str, Any]) -> str:
    said = "\n".join(_e(line) for line in rung["said"])
    return "\n".join((
        f'<section aria-labelledby="{_e(rung["name"])}">', f'<h2 id="{_e(rung["name"])}">{_e(rung["name"])}</h2>',
        f'<p>{_e(rung["what"])}.</p>', "<dl>",
        f'<div><dt>To reach</dt><dd>{_e(rung["goal"])}</dd></div>',
        f'<div><dt>Reached</dt><dd>{_e(rung["measured"])} {_verdict(rung)}</dd></div>', "</dl>",
        *(chart(one["across"], one["up"], one["lines"]) for one in rung["charts"]),
        f"<details><summary>In detail</summary>\n<pre>{said}</pre></details>" if said else "", "</section>"))


def _verdict(rung: Mapping[str, Any]) -> str:
    return '<span class="good">reached</span>' if rung["passed"] else '<span class="bad">missed</span>'


def _e(text: Any) -> str:
    return html.escape(str(text))
