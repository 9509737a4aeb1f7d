"""report.html: it is only text and figures, in the few elements that ingot uses, and the digests that it marks as
such are those of the release. Browsers are lenient, each in its way; here whatever is not in the grammar is refused."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

from toolchain.release import REPORT
from toolchain.release.verify.lie import Lie, Line, Say, short

HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
"""
_TOKEN = re.compile(r'<(/?)([a-z][a-z0-9]*)((?: [A-Za-z0-9-]+="[^"<>]*")*)(/?)>|([^<]+)')
_ATTRIBUTE = re.compile(r' ([A-Za-z0-9-]+)="([^"<>]*)"')
_NUMBER = r"-?[0-9.]+(?:em)?"
_VALUES = {name: re.compile(value) for name, value in {
    "class": r"[a-z]+(?: [a-z]+)*", "id": r"[a-z-]+", "aria-labelledby": r"[a-z-]+", "scope": "row|col",
    "style": r"width:[0-9.]+%", "viewBox": r"[0-9. ]+", "role": "img", "points": r"[0-9., -]*",
    "name": "viewport|referrer", "content": r"[a-z0-9=, -]+",
    **dict.fromkeys(("x", "y", "dy", "x1", "x2", "y1", "y2", "cx", "cy", "r"), _NUMBER)}.items()}
_ALONE = {"meta", "br"}  # without an end
_SHAPES = {"line", "polyline", "circle"}  # written as <line/>
_TEXT = {"title", "style", "code", "text"}  # hold text alone
_ELEMENTS = {*_ALONE, *_SHAPES, *_TEXT, "body", "header", "main", "footer", "section", "p", "h1", "h2", "ul", "li",
             "dl", "div", "dt", "dd", "pre", "details", "summary", "table", "thead", "tbody", "tr", "th", "td", "span",
             "small", "figure", "figcaption", "svg"}
_IN_HEAD = {"meta", "style"}
_IN_STYLE = ("<", "\\", "url(", "@import")  # nothing is fetched, nor hidden from this reader


def check(data: bytes, wanted: Mapping[str, str], say: Say) -> None:
    """`wanted`: what the page must name (in words) -> its digest. Raises Lie where one is missing, or another shown."""
    found = _digests(data)
    for what, digest in wanted.items():
        if digest not in found:
            raise Lie(REPORT, f"it does not name {what}, {short(digest)}")
    for digest in sorted(found - set(wanted.values())):
        raise Lie(REPORT, f"it names {short(digest)}, which nothing in this release has")
    say(Line(REPORT, f"the {len(found)} digests that it shows are those of this release"))


def _digests(data: bytes) -> set[str]:
    """The text of each `<code class="digest">`."""
    try:
        page = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Lie(REPORT, "it is not a page as ingot writes it") from None
    if not page.startswith(HEAD) or any(char != "\n" and ord(char) < 32 for char in page):
        raise Lie(REPORT, "it is not a page as ingot writes it")
    found: set[str] = set()
    at, inside, digest = len(HEAD), ["html", "head"], False
    while at < len(page):
        match = _TOKEN.match(page, at)
        if match is None or not inside:
            raise _strange(page[at:])
        end, name, attributes, closed, text = match.groups()
        if text is not None:
            _check_text(text, inside[-1])
            if digest:
                found.add(html.unescape(text))
        elif end:
            if attributes or closed or inside.pop() != name:
                raise _strange(match[0])
            digest = False
        else:
            _check_element(name, attributes, bool(closed), inside, match[0])
            digest = name == "code" and bool(attributes)
            if name not in _ALONE and not closed:
                inside.append(name)
        at = match.end()
        if not inside and page[at:] == "\n":
            return found
    raise Lie(REPORT, "it is not a page as ingot writes it: it has no end")


def _check_element(name: str, attributes: str, closed: bool, inside: list[str], whole: str) -> None:
    given = _ATTRIBUTE.findall(attributes)
    if (name not in _ELEMENTS or inside[-1] in _TEXT or closed != (name in _SHAPES)
            or (name in _IN_HEAD) > (inside[-1] == "head") or len({one for one, _ in given}) != len(given)
            or not all(one in _VALUES and _VALUES[one].fullmatch(value) for one, value in given)):
        raise _strange(whole)
    if (name == "code" and attributes not in ("", ' class="digest"')) or (
            name != "code" and any("digest" in value.split() for _, value in given)):
        raise _strange(whole)


def _check_text(text: str, element: str) -> None:
    if element == "style":
        bad = next((one for one in _IN_STYLE if one in text.lower()), "")
    else:
        bad = ">" if ">" in text else ""
    if bad:
        raise _strange(text[max(0, text.lower().find(bad) - 20):])


def _strange(text: str) -> Lie:
    return Lie(REPORT, f"it holds {text[:60]!r}: the page of a release is there to be read alone")
