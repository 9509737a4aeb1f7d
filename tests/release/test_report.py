"""The report page: whatever goes in is only shown, nothing is fetched, and it fits a phone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.executors.conftest import needs
from tests.release import chromium
from tests.release.conftest import Released
from toolchain.release import curve
from toolchain.release.report import Facts, FileFact, StageFact, losses, page

HOSTILE = '<script src="https://example.com/x.js">boom()</script><img src=x onerror=boom()>"\'&amp;\x1b[31m\u202e'
LOG = "".join(json.dumps({"step": step, "loss": 5 / (1 + step / 40), "lr": 0.1,
                          **({"val_loss": 5.2 / (1 + step / 40)} if step % 250 == 1 else {})}) + "\n"
              for step in range(1, 5001, 10)) + json.dumps({"step": 5001, "loss": 0.04, "val_loss": 0.05, "lr": 0})


def file(name: str, size: int = 3_600_000) -> FileFact:
    return FileFact(name, size, "0123456789abcdef" * 4)


FACTS = Facts(
    name="tales", title="Tiny tales", version="1.0.0", commit="4f" * 20, changed=False, forced=(),
    image=file("tales-1.0.0.img", 41_943_040),
    partition="INGOT", partition_guid="6f1c2b7e-9b1a-5b3c-8d3e-0123456789ab", partition_size=39_845_888,
    contents=(file("EFI/BOOT/BOOTX64.EFI"), file("models/" + "a-long-name" * 12 + ".gguf")),
    files=(file("BOOTX64.EFI"), file("provenance.json"), file("tales-1.0.0.img.zst")),
    stages=tuple(StageFact(name, "docker", False, True, 2.5, "fe" * 32)
                 for name in ("dataset", "train", *(f"compile:engine/part{i}" for i in range(50)), "image")),
    losses=losses(LOG.encode()), samples="Once upon a time" + "x" * 300, signer="cd" * 32)


class Tags(HTMLParser):
    """Every tag with its attributes, and the text."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(data.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def shape(data: bytes) -> list[str]:
    return [tag for tag, _ in Tags(data).tags]


def harmless(data: bytes) -> None:
    """No script, no handler, nothing that is fetched."""
    for tag, attributes in Tags(data).tags:
        assert tag not in ("script", "link", "iframe", "object", "embed", "img", "base", "form")
        for name, value in attributes.items():
            assert not name.startswith("on") and name not in ("src", "href", "srcset", "action", "data"), (tag, name)
            assert name != "style" or re.fullmatch(r"width:\d{1,3}\.\d\d%", value or ""), value
    styles = re.findall(rb"<style>(.*?)</style>", data, re.S)
    assert len(styles) == 1 and b"url(" not in styles[0] and b"@import" not in styles[0]
    assert b"default-src 'none'" in data


def hostile(text: str) -> Facts:
    """Every string that could be anybody's, replaced."""
    one = FileFact(text, 1, text)
    return replace(FACTS, title=text, name=text, version=text, commit=text, image=one, partition=text,
                   partition_guid=text, contents=(one, one), files=(one,) * 3, samples=text, signer=text,
                   forced=(text,),
                   stages=tuple(StageFact(text, text, None, False, stage.seconds, text) for stage in FACTS.stages))


def test_page_is_self_contained() -> None:
    harmless(page(FACTS))


@pytest.mark.parametrize("text", [HOSTILE, "$title ${x}", "</code></pre></section><!--", "]]>", "\ud800\0\x85"])
def test_hostile_text_is_shown_as_text(text: str) -> None:
    harmless(page(hostile(text)))
    assert b"boom()</script>" not in page(hostile(text))


@given(st.text())
def test_any_text_gives_the_same_tags(text: str) -> None:
    if text.strip():
        assert shape(page(hostile(text))) == shape(page(hostile("plain")))
    harmless(page(hostile(text)))


def test_control_characters_become_dots() -> None:
    data = page(replace(FACTS, samples="a\x1b[31mb\u202ec\r\nd"))
    assert "a·[31mb·c·\nd" in Tags(data).text


LINE = st.from_regex(r'\{"step":-?[0-9e]{1,20},"loss":[-0-9.eENaInfity]{1,20}\}', fullmatch=True)


@given(st.binary() | st.lists(LINE).map(lambda lines: "\n".join(lines).encode()))
def test_any_training_log_gives_a_page(data: bytes) -> None:
    harmless(page(replace(FACTS, losses=losses(data))))


@given(st.lists(st.builds(curve.Point, st.integers(), st.floats(), st.none() | st.floats()), max_size=30))
def test_any_numbers_give_a_figure(points: list[curve.Point]) -> None:
    drawn = curve.figure([point for point in points if point.fits])
    assert "nan" not in drawn and "inf" not in drawn


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(4, 9))
def test_ticks_lie_within(low: float, span: float, most: int) -> None:
    found = curve.ticks(low, low + span, most)
    assert 1 <= len(found) <= most + 1
    assert all(low - span * 1e-6 <= tick <= low + span * (1 + 1e-6) for tick in found)


def test_the_page_says_what_is_so() -> None:
    said = Tags(page(FACTS)).text
    for words in ("Tiny tales", "EFI/BOOT/BOOTX64.EFI", "validation, at the end 0.050", "cd" * 32,
                  "./doit verify dist/tales-1.0.0 key=PUBLIC.pem", "openssl pkeyutl", "sha256sum -c SHA256SUMS",
                  "sudo ./doit flash device=/dev/sdX", "All 53 stages", "Once upon a time"):
        assert words in said, words
    unsigned = Tags(page(replace(FACTS, signer=None))).text
    assert "not signed" in unsigned and "openssl" not in unsigned and "key=" not in unsigned


def test_a_good_one_may_be_trusted_to_come_out_the_same() -> None:
    said = Tags(page(FACTS)).text
    assert "byte for byte" in said and f"commit {'4f' * 20}" in said and "./doit reproduce" in said
    assert "Know this first" not in said and "on top of" not in said


@pytest.mark.parametrize("change", [
    {"forced": ("CHANGELOG.md says <nothing>",)}, {"forced": ("the tree is dirty",), "changed": True},
    {"stages": (StageFact("link", "host", False, False, 1, "fe" * 32), *FACTS.stages)}])
def test_what_is_not_as_it_should_be_stands_first(change: dict[str, Any]) -> None:
    """Then nothing says that it can be built anew, byte for byte."""
    facts = replace(FACTS, **change)
    said = Tags(page(facts)).text
    assert 0 < said.index("Know this first") < said.index("What this is")
    assert all(reason in said for reason in facts.forced) and ("1 of its 54 stages" in said) is ("stages" in change)
    assert "byte for byte" not in said and "./doit reproduce" not in said
    assert (f"on top of commit {'4f' * 20}, changed" in said) is facts.changed


def test_where_stages_come_from() -> None:
    stages = tuple(StageFact(str(fetched), "docker", fetched, True, 1, "fe" * 32) for fetched in (True, False, None))
    said = Tags(page(replace(FACTS, stages=stages))).text
    for words in ("dockerfrom a remote cache", "dockerbuilt", "dockernot known where"):
        assert said.count(words) == 1, words


def test_the_curve_need_not_fall() -> None:
    drawn = curve.figure([curve.Point(1, 1.0, None), curve.Point(2, 2.0, None)])
    assert "training goes from 1.000 to 2.000" in drawn and "fall" not in drawn


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Browser]:
    needs("chromium", chromium.trouble())
    with chromium.chromium(tmp_path_factory.mktemp("chromium")) as running:
        yield running


@pytest.mark.parametrize("width, height", [(360, 800), (390, 844), (620, 900), (1280, 900)])
@pytest.mark.parametrize("facts", [FACTS, hostile(HOSTILE * 3)], ids=["plain", "hostile"])
def test_shown_in_a_browser(facts: Facts, width: int, height: int, browser: chromium.Browser, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_bytes(page(facts))
    shown(path, width, height, browser)


@pytest.mark.parametrize("width, height", [(390, 844), (1280, 900)])
def test_a_real_one_in_a_browser(released: Released, width: int, height: int, browser: chromium.Browser) -> None:
    shown(released.folder / "report.html", width, height, browser)


def shown(path: Path, width: int, height: int, browser: chromium.Browser) -> None:
    """Whole, within the window, without an error and without fetching anything."""
    browser.open(path, width, height)
    browser.evaluate("document.querySelector('details').open = true")
    wide, inner = browser.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    box = browser.evaluate("(r => [r.left, r.right, r.height])(document.querySelector('svg').getBoundingClientRect())")
    lines = browser.evaluate("[...document.querySelectorAll('polyline')].map(l => l.getBBox().width)")
    sticking_out = browser.evaluate("[...document.querySelectorAll('td,th,dd,pre,h1,h2')].filter(e => "
                                    "e.getBoundingClientRect().right > innerWidth).map(e => e.textContent)")
    assert (wide, inner) == (width, width) and sticking_out == []
    assert 0 <= box[0] < box[1] <= width and box[2] > 100
    tiles = browser.evaluate("[...document.querySelectorAll('.figures div')].map(e => e.getBoundingClientRect().top)")
    assert len(tiles) == 4 and len(set(tiles)) == (2 if width < 640 else 1) and tiles[0] == tiles[1]
    assert len(lines) == 2 and min(lines) > 200
    assert "How it was made" in browser.evaluate("document.body.innerText")
    assert browser.of("Runtime.exceptionThrown") == [] and browser.of("Runtime.consoleAPICalled") == []
    assert [entry for entry in browser.of("Log.entryAdded") if entry["entry"]["level"] == "error"] == []
    assert {sent["request"]["url"] for sent in browser.of("Network.requestWillBeSent")} == {path.as_uri()}


def test_a_fetch_would_be_seen(browser: chromium.Browser, tmp_path: Path) -> None:
    """The test above can fail: a page with an image and a script is caught, and stopped by the policy."""
    path = tmp_path / "bad.html"
    path.write_bytes(page(FACTS).replace(b"</main>", b'<img src="a.png"><script>boom()</script></main>'))
    browser.open(path, 390, 844)
    assert any("Content Security Policy" in entry["entry"]["text"] for entry in browser.of("Log.entryAdded"))
