"""Packages that nobody would make by mistake: none of them writes outside the tree, or through a link."""

from __future__ import annotations

import contextlib
import gzip
import io
import lzma
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.roots.archives import Member, ar, deb, file, folder, hard, link, named, special, tar
from toolchain.roots.deb import BadPackage, placed, unpack
from toolchain.roots.tree import BadMember, Writer, digest


def go_on() -> None:
    pass


def put(tmp_path: Path, *packages: bytes) -> Path:
    """The tree of these .debs, unpacked one after the other."""
    root = tmp_path / "root"
    writer = Writer(root, placed)
    for number, content in enumerate(packages):
        path = tmp_path / f"{number}.deb"
        path.write_bytes(content)
        unpack(path, writer, go_on)
    return root


def refused(tmp_path: Path, *packages: bytes) -> str:
    """Why they are refused. Nothing beside the tree has been touched."""
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside/file").write_bytes(b"mine")
    with pytest.raises((BadPackage, BadMember)) as caught:
        put(tmp_path, *packages)
    assert (tmp_path / "beside/file").read_bytes() == b"mine" and os.listdir(tmp_path / "beside") == ["file"]
    names = {name for name in os.listdir(tmp_path) if not name.endswith(".deb")}
    assert names <= {"beside", "root"}
    return str(caught.value)


@pytest.mark.parametrize("name", ["../x", "./../x", "usr/../../x", "usr/a/../b", "/usr/x", "//usr/x", ".."])
def test_paths_that_leave(name: str, tmp_path: Path) -> None:
    assert "leaves the tree" in refused(tmp_path, deb(file(name)))


def test_dropped_paths_may_not_leave_either(tmp_path: Path) -> None:
    assert "leaves the tree" in refused(tmp_path, deb(file("etc/../../x")))


@pytest.mark.parametrize("target", ["../../x", "../../../usr/x", "a/../../../x", "../..", "/../x", "/usr/../../x"])
def test_links_that_leave(target: str, tmp_path: Path) -> None:
    assert "leaves the tree" in refused(tmp_path, deb(link("usr/l", target)))


@pytest.mark.parametrize("target", ["", "x" * 2000])
def test_links_to_nothing(target: str, tmp_path: Path) -> None:
    assert "no usable target" in refused(tmp_path, deb(link("usr/l", target)))


@pytest.mark.parametrize("target, kept", [
    ("/lib/x/y.so", "x/y.so"), ("/usr/lib/y.so", "y.so"), ("/etc/ssl", "../../etc/ssl"), ("/", "../.."),
    ("../share/z", "../share/z"), ("y", "y")])
def test_links_to_the_top_become_relative(target: str, kept: str, tmp_path: Path) -> None:
    assert os.readlink(put(tmp_path, deb(link("lib/l", target))) / "usr/lib/l") == kept


@pytest.mark.parametrize("target", ["../beside", "beside", "/beside", "."])
def test_nothing_is_written_through_a_link(target: str, tmp_path: Path) -> None:
    """Neither one of the same package nor one of an earlier."""
    one, other = link("usr/l", target), file("usr/l/file", b"theirs")
    refused(tmp_path, deb(one, other))


@pytest.mark.parametrize("later", [file("usr/l/file"), folder("usr/l"), file("usr/l"), link("usr/l", "b"),
                                   link("usr/l/m", "b"), hard("usr/h", "usr/l/file"), hard("usr/h", "usr/l")],
                         ids=named)
def test_nothing_follows_or_replaces_an_earlier_link(later: Member, tmp_path: Path) -> None:
    inner = deb(folder("usr/d"), file("usr/d/file"), link("usr/l", "d"))
    refused(tmp_path, inner, deb(later))
    assert os.listdir(tmp_path / "root/usr/d") == ["file"]


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"Z"])
def test_devices(kind: bytes, tmp_path: Path) -> None:
    assert "neither file nor folder nor link" in refused(tmp_path, deb(special("usr/dev", kind)))


@pytest.mark.parametrize("target", ["../beside/file", "/beside/file", "etc/passwd", "usr/none", "usr/d"])
def test_hard_links_out_of_the_tree(target: str, tmp_path: Path) -> None:
    refused(tmp_path, deb(folder("usr/d"), hard("usr/h", target)))


@pytest.mark.parametrize("top", ["usr", "bin", "lib64", "usr/lib"])
def test_the_folders_of_the_root_are_folders(top: str, tmp_path: Path) -> None:
    assert "is no folder" in refused(tmp_path, deb(link(top, "usr/x")))


def test_a_file_where_a_folder_is_needed(tmp_path: Path) -> None:
    assert "a folder in one package" in refused(tmp_path, deb(file("usr/a")), deb(file("usr/a/b")))


def test_a_long_name(tmp_path: Path) -> None:
    assert "too long" in refused(tmp_path, deb(file("usr/" + "n" * 300)))


@pytest.mark.parametrize("claimed", [-1, 9 << 30, 1 << 62])
def test_sizes_that_cannot_be(claimed: int, tmp_path: Path) -> None:
    """A member that says it has more than there is, or less than nothing."""
    member, _ = file("usr/a", b"")
    member.size = claimed
    data = member.tobuf(tarfile.GNU_FORMAT) + bytes(1024)
    refused(tmp_path, ar({"debian-binary": b"2.0\n", "data.tar.gz": gzip.compress(data)}))


def test_a_file_that_ends_too_early(tmp_path: Path) -> None:
    member, _ = file("usr/a", b"")
    member.size = 5000
    data = member.tobuf(tarfile.GNU_FORMAT) + bytes(1000)
    refused(tmp_path, ar({"debian-binary": b"2.0\n", "data.tar": data}))


@pytest.mark.parametrize("name, pack", [("data.tar.xz", lzma.compress), ("data.tar.gz", gzip.compress),
                                        ("data.tar", bytes), ("data.tar.xz/", lzma.compress)])
def test_ways_of_packing(name: str, pack: object, tmp_path: Path) -> None:
    data = pack(tar([file("usr/a", b"hi")]))  # type: ignore[operator]
    root = put(tmp_path, ar({"debian-binary": b"2.0\n", "control.tar": b"odd", name: data}))
    assert (root / "usr/a").read_bytes() == b"hi"


@pytest.mark.parametrize("content, reason", [
    (b"", "not a .deb"), (b"PK\3\4", "not a .deb"), (b"!<arch>\n", "holds no files"),
    (ar({"debian-binary": b"1.0\n", "data.tar": b""}), "not a .deb of format 2"),
    (ar({"data.tar": b""}), "not a .deb of format 2"),
    (ar({"debian-binary": b"2.0\n"}), "holds no files"),
    (ar({"debian-binary": b"2.0\n", "data.tar.lzma": b""}), "packed in a way"),
    (ar({"debian-binary": b"2.0\n", "data.tar.xz": b"nonsense"}), "cannot be unpacked"),
    (ar({"debian-binary": b"2.0\n", **{f"part{n}": b"" for n in range(30)}, "data.tar": b""}), "holds no files"),
])
def test_files_that_are_no_package(content: bytes, reason: str, tmp_path: Path) -> None:
    assert reason in refused(tmp_path, content)


@pytest.mark.parametrize("length", [b"-1        ", b"9999999999", b"0x10      ", b"          "])
def test_ar_headers_that_lie(length: bytes, tmp_path: Path) -> None:
    good = deb(file("usr/a"))
    refused(tmp_path, good[: 8 + 48] + length + good[8 + 58 :])


WHOLE = deb(folder("usr"), file("usr/a", b"a" * 3000, 0o755), link("usr/b", "a"), hard("usr/c", "usr/a"))


@settings(deadline=None)
@given(st.data())
def test_any_damage_is_an_error_or_stays_inside(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Cut anywhere, or with bytes changed anywhere: refused by name, or a tree; never another exception."""
    folder_ = tmp_path_factory.mktemp("damage")
    plain = ar({"debian-binary": b"2.0\n", "data.tar": tar([file("usr/a", b"aa"), link("usr/b", "a"),
                                                            hard("usr/c", "usr/a"), folder("usr/d")])})
    content = bytearray(data.draw(st.sampled_from([WHOLE, plain])))
    for _ in range(data.draw(st.integers(0, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(content[: data.draw(st.integers(0, len(content)))])
    with contextlib.suppress(BadPackage, BadMember):
        put(folder_, cut)
    assert {name for name in os.listdir(folder_) if name != "0.deb"} <= {"root"}
    shutil.rmtree(folder_)


NAMES = st.lists(st.sampled_from(["usr", "bin", "lib", "a", "b", "..", ".", "", "etc"]), min_size=1, max_size=5)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("fldh"), NAMES, NAMES), max_size=8))
def test_no_mix_of_members_gets_out(
    tmp_path_factory: pytest.TempPathFactory, mix: list[tuple[str, list[str], list[str]]]
) -> None:
    outside = tmp_path_factory.mktemp("mix")
    members: list[Member] = []
    for kind, name, target in mix:
        path, aim = "/".join(name), "/".join(target)
        members.append({"f": file(path), "l": link(path, aim), "d": folder(path), "h": hard(path, aim)}[kind])
    with contextlib.suppress(BadPackage, BadMember):
        put(outside, deb(*members))
    assert set(os.listdir(outside)) <= {"0.deb", "root"}
    assert set(os.listdir(outside / "root")) <= {"usr"}
    shutil.rmtree(outside)


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")
def test_like_dpkg_deb(tmp_path: Path) -> None:
    """A package made by Debian's own tool becomes the files that Debian's own tool makes of it."""
    source = tmp_path / "source"
    (source / "DEBIAN").mkdir(parents=True)
    (source / "DEBIAN/control").write_text("Package: x\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n")
    (source / "usr/bin").mkdir(parents=True)
    (source / "usr/bin/x").write_bytes(bytes(range(256)) * 5000)
    (source / "usr/bin/x").chmod(0o755)
    (source / "usr/bin" / ("long-" * 30)).write_bytes(b"a name for which tar needs an extra header")
    os.link(source / "usr/bin/x", source / "usr/bin/y")
    (source / "usr/z").symlink_to("bin/x")
    subprocess.run(["dpkg-deb", "--build", "-Zxz", str(source), str(tmp_path / "0.deb")], check=True,
                   stdout=subprocess.DEVNULL)
    subprocess.run(["dpkg-deb", "-x", str(tmp_path / "0.deb"), str(tmp_path / "theirs")], check=True)
    ours = put(tmp_path, (tmp_path / "0.deb").read_bytes())
    assert digest(ours) == digest(tmp_path / "theirs")
    assert (ours / "usr/bin/y").stat().st_ino == (ours / "usr/bin/x").stat().st_ino


def test_streams_only(tmp_path: Path) -> None:
    """200 MB of zeros in a few kilobytes never lie in memory as a whole."""
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    big, _ = file("usr/zeros", b"")
    big.size = 200 << 20
    out = io.BytesIO()
    with lzma.open(out, "w", preset=0) as packed:
        packed.write(big.tobuf(tarfile.GNU_FORMAT))
        for _ in range(200):
            packed.write(bytes(1 << 20))
        packed.write(bytes(1024))
    assert len(out.getvalue()) < 100_000
    root = put(tmp_path, ar({"debian-binary": b"2.0\n", "data.tar.xz": out.getvalue()}))
    assert (root / "usr/zeros").stat().st_size == 200 << 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10
