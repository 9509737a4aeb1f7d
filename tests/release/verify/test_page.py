"""report.html: pages that a browser would read otherwise than we do."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.release.conftest import Released
from tests.release.verify.conftest import liar
from toolchain import release
from toolchain.release.verify import page

BODY = '<title>x</title>\n</head>\n<body>\n<p>x</p><code class="digest">ab</code>%s</body>\n</html>\n'


def check(body: str, head: str = page.HEAD) -> None:
    page.check((head + body).encode(), {"it": "ab"}, lambda _: None)


def test_the_report_must_name_what_is_so() -> None:
    check(BODY % "")
    assert "does not name it" in liar(lambda: page.check((page.HEAD + BODY % "").encode(), {"it": "cd"},
                                                         lambda _: None)).text
    assert "which nothing" in liar(lambda: check(BODY % '<code class="digest">ef</code>')).text
    assert "which nothing" in liar(lambda: check(BODY % '<code class="digest">&#x65;f</code>')).text


EXTRA = [
    "<script>", "<p onclick=x>", "<iframe src=x>", "<SCRIPT src=x>", '<![CDATA[x><script>x</script>]]>',
    "<!--><script>x</script>-->", "<!--x--!><script>x</script>-->", "<!-- x -->", "<?x?>", "</ p>", "<p\n>x</p>",
    '<title><i a="</title><img src=x onerror=x>"></title>', '<meta http-equiv="refresh" content="0;url=https://evil">',
    '<a href="javascript:alert(1)">x</a>', '<img src="https://evil/x.png">', '<link rel="stylesheet" href="x.css">',
    "<img/onerror=x/src=x>", "<svg><style>x</style></svg>", "<style>p { }</style>", "<form></form>", "<p>x</div>",
    '<p style="background:url(x)">x</p>', '<p class="a" class="b">x</p>', "<p class='a'>x</p>", "<p>a > b</p>",
    '<code class="digest ">ab</code>', '<code class="x digest">ab</code>', '<span class="digest">ab</span>',
    '<code class="digest">a<b></b>b</code>', '<code id="x">ab</code>', "<template></template>", "<br/>", "<p/>",
    "<plaintext>", "<textarea></textarea>", "\x00", "\r", "</body></html><p>x</p>", "<svg><line></svg>", "<p"]


@pytest.mark.parametrize("extra", EXTRA)
def test_the_report_only_speaks(extra: str) -> None:
    assert liar(lambda: check(BODY % extra)).file == release.REPORT


@pytest.mark.parametrize("head", [
    page.HEAD.replace("Content-Security-Policy", "x"), page.HEAD.replace("'none'", "*"), page.HEAD[:-1],
    page.HEAD.replace("<head>", "<head><p>"), page.HEAD.upper(), "\ufeff" + page.HEAD,
    page.HEAD.replace("html>", "x>")])
def test_the_policy_comes_first(head: str) -> None:
    assert liar(lambda: check(BODY % "", head)).file == release.REPORT


@pytest.mark.parametrize("style", ["@import 'x'", "p { background: URL(x) }", "<!--", "\\75rl(x)"])
def test_the_style_fetches_nothing(style: str) -> None:
    check("<style>p > b { color: red }</style>" + BODY % "")
    assert liar(lambda: check(f"<style>{style}</style>" + BODY % "")).file == release.REPORT


def test_a_real_page_with_anything_put_in(released: Released) -> None:
    text = (released.folder / release.REPORT).read_text()
    assert text.startswith(page.HEAD)
    for extra in EXTRA:
        broken = text.replace("</body>", extra + "</body>")
        assert "which nothing" not in liar(lambda b=broken: page.check(  # type: ignore[misc]
            b.encode(), {}, lambda _: None)).text


@given(st.text(st.sampled_from("<>/!-\"'= abpdivcode&;\n")))
def test_any_text(extra: str) -> None:
    try:
        check(BODY % extra)
    except page.Lie as lie:
        assert lie.file == release.REPORT


def test_the_template_is_of_the_grammar() -> None:
    assert (Path(release.__file__).parent / "report.html").read_text().startswith(page.HEAD)
