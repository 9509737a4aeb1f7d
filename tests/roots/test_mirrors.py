"""Which mirrors are asked: DEBIAN_MIRROR, else what apt on this machine is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolchain.errors import UserError
from toolchain.roots.mirrors import mirrors

ONE_LINE = """
# deb http://commented/debian bookworm main
deb http://one/debian bookworm main contrib
deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] https://two/debian/ trixie main # no comment
deb-src http://source/debian bookworm main
deb http://one/debian bookworm-updates main
deb http://security/debian-security bookworm-security main
deb http://elsewhere/apt jammy main
deb http://contrib/debian bookworm contrib
deb file:/srv/debian bookworm main
deb cdrom:[Debian]/ bookworm main
deb mirror+file:/etc/apt/mirrors bookworm main
deb http://short
"""

DEB822 = """# a comment
Types: deb deb-src
URIs: http://three/debian
 http://four/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://off/debian
Suites: bookworm
Components: main
Enabled: no

Types: deb
URIs: http://tools/apt
Suites: nodistro
Components: main
"""


@pytest.fixture
def apt(tmp_path: Path) -> Path:
    (tmp_path / "sources.list.d").mkdir()
    return tmp_path


def test_one_line_format(apt: Path) -> None:
    (apt / "sources.list").write_text(ONE_LINE)
    assert mirrors({}, apt) == ("http://one/debian", "https://two/debian")


def test_deb822_format(apt: Path) -> None:
    (apt / "sources.list.d/debian.sources").write_text(DEB822)
    assert mirrors({}, apt) == ("http://three/debian", "http://four/debian")


def test_bookworm_s_own_come_first(apt: Path) -> None:
    (apt / "sources.list").write_text("deb http://new/debian trixie main\ndeb http://old/debian bookworm main\n")
    (apt / "sources.list.d/more.list").write_text("deb http://more/debian bookworm main\n")
    assert mirrors({}, apt) == ("http://old/debian", "http://more/debian", "http://new/debian")


@pytest.mark.parametrize("given", ["http://a/debian,https://b/archive/20250101T000000Z/",
                                   "  http://a/debian/   https://b/archive/20250101T000000Z , http://a/debian"])
def test_debian_mirror_is_a_list_and_wins(given: str, apt: Path) -> None:
    (apt / "sources.list").write_text(ONE_LINE)
    assert mirrors({"DEBIAN_MIRROR": given}, apt) == ("http://a/debian", "https://b/archive/20250101T000000Z")


@pytest.mark.parametrize("given", ["ftp://a/debian", "a.example/debian", "http://", "/srv/debian", "http://a/\x1b"])
def test_debian_mirror_must_be_addresses(given: str, apt: Path) -> None:
    with pytest.raises(UserError, match="is not an address"):
        mirrors({"DEBIAN_MIRROR": given}, apt)


@pytest.mark.parametrize("text", ["", "\x00\xff: \n\n:\n", "URIs\n", "Types: deb\n\nSuites:\n"])
def test_nothing_known(text: str, apt: Path) -> None:
    (apt / "sources.list.d/odd.sources").write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match="no Debian mirror is known") as caught:
        mirrors({"DEBIAN_MIRROR": " , "}, apt)
    assert "DEBIAN_MIRROR=" in caught.value.hint and "import=" in caught.value.hint


def test_without_apt(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no Debian mirror is known"):
        mirrors({}, tmp_path / "none")
