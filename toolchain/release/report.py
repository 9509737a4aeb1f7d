"""report.html: one self-contained page about a release. Nothing in it is fetched, nothing in it runs.

Everything shown comes from outside (recipe titles, samples of a model, names of files): all of it is escaped.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from string import Template

from toolchain.release import curve
from toolchain.ui import size_text, time_text

MOST_SAMPLES = 32 << 10  # characters of samples that are shown


@dataclass(frozen=True)
class StageFact:
    """One stage: how it was made, and how long that took when it was built."""

    name: str
    executor: str
    fetched: bool | None  # from a remote cache; None: not known
    pinned: bool
    seconds: float
    key: str


@dataclass(frozen=True)
class FileFact:
    """A file of the release, or of the image."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Facts:
    """All that the page says."""

    name: str  # of the image: tales
    title: str  # of its recipe
    version: str
    commit: str
    changed: bool  # whether the tree was another than the commit's
    forced: tuple[str, ...]  # what spoke against the release
    image: FileFact  # NAME-VERSION.img, uncompressed
    partition: str  # its name
    partition_guid: str
    partition_size: int
    contents: tuple[FileFact, ...]  # of the image, by path
    files: tuple[FileFact, ...]  # of the release, made before this page
    stages: tuple[StageFact, ...]
    losses: tuple[curve.Point, ...] = ()
    samples: str = ""
    signer: str | None = None  # fingerprint of the key; None: not signed
    secure_boot: bool = False  # whether the EFI program bears a signature

    @property
    def folder(self) -> str:
        """The release's folder."""
        return f"{self.name}-{self.version}"

    @property
    def unpinned(self) -> tuple[str, ...]:
        """The stages whose tools nothing pins: nobody else can make their results."""
        return tuple(stage.name for stage in self.stages if not stage.pinned)

    @property
    def again(self) -> bool:
        """Whether the commit, built anew, must give the same bytes."""
        return not (self.forced or self.changed or self.unpinned)


def losses(train_jsonl: bytes) -> tuple[curve.Point, ...]:
    """The points of train.jsonl; lines that hold none are left out."""
    points = []
    for line in train_jsonl.splitlines():
        try:
            raw = json.loads(line)
            step, loss, val = int(raw["step"]), float(raw["loss"]), raw.get("val_loss")
            points.append(curve.Point(step, loss, None if val is None else float(val)))
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            continue
    return tuple(point for point in points if point.fits)


def page(facts: Facts) -> bytes:
    """The page."""
    template = Template(Path(__file__).with_name("report.html").read_text(encoding="utf-8"))
    seconds = sum(stage.seconds for stage in facts.stages)
    named = facts.title.strip() or facts.name
    return template.substitute(
        title=text(named), name=text(facts.name), version=text(facts.version),
        warning=_warning(facts), again=_AGAIN if facts.again else "", commit=_commit(facts),
        signer=digest(facts.signer) if facts.signer else "nobody: this release is not signed",
        secure_boot="the EFI program is signed" if facts.secure_boot else "the EFI program is not signed",
        image_size=size_text(facts.image.size), stage_count=len(facts.stages), seconds=time_text(seconds),
        loss=_loss(facts.losses), check=_check(facts), boot=_boot(facts), curve=curve.figure(facts.losses),
        samples=_samples(facts.samples), image=_image(facts), contents=_files(facts.contents, "File"),
        files=_files(facts.files, "File"), bars=_bars(facts.stages), stages=_stages(facts.stages)).encode()


_AGAIN = ", and all of it can be built again, byte for byte"


def text(raw: str) -> str:
    """Any string as HTML text or attribute. What cannot be seen (control, direction marks) is shown as a dot."""
    return html.escape("".join(char if char == "\n" or char.isprintable() else "·" for char in raw), quote=True)


def digest(raw: str) -> str:
    """A digest, which may break anywhere; `./doit verify` reads these elements."""
    return f'<code class="digest">{text(raw)}</code>'


def _warning(facts: Facts) -> str:
    """A box at the top of what spoke against the release; nothing where nothing did."""
    parts = []
    if facts.forced:
        reasons = "".join(f"<li>{text(reason)}</li>" for reason in facts.forced)
        parts.append(f"<p>It was made with force=1, although this spoke against it:</p>\n<ul>{reasons}</ul>")
    if facts.unpinned:
        names = ", ".join(facts.unpinned[:5]) + (", …" if len(facts.unpinned) > 5 else "")
        parts.append(f"<p>Nothing pins the tools of {len(facts.unpinned)} of its {len(facts.stages)} stages, so nobody "
                     f"else can make the same: {text(names)}.</p>")
    if not parts:
        return ""
    return ('<section class="warning" aria-labelledby="warning">\n<h2 id="warning">Know this first</h2>\n'
            + "\n".join(parts) + "\n</section>")


def _commit(facts: Facts) -> str:
    if not facts.commit:
        return "no commit is known"
    shown = digest(facts.commit)
    return f"on top of commit {shown}, changed" if facts.changed else f"commit {shown}"


def _loss(points: tuple[curve.Point, ...]) -> str:
    vals = [point.val_loss for point in points if point.val_loss is not None]
    if vals:
        return f"{vals[-1]:.3f}"
    return f"{points[-1].loss:.3f}" if points else "none"


def _command(*lines: str) -> str:
    """Each on a line of its own, as it is typed."""
    return '<pre class="command">' + "\n".join(f"<code>{text(line)}</code>" for line in lines) + "</pre>"


def _check(facts: Facts) -> str:
    folder = f"dist/{facts.folder}"
    parts = []
    if facts.signer:
        parts += ["<p>With ingot, and a public key that you have from its owner by another way than this folder:</p>",
                  _command(f"./doit verify {folder} key=PUBLIC.pem"),
                  "<p>With the tools of any Linux machine, in the release's folder. The key's fingerprint, which the "
                  "first command prints, must be the one that its owner tells you:</p>",
                  _command("openssl pkey -pubin -in release.pub -outform DER | sha256sum",
                           *(f"openssl pkeyutl -verify -pubin -inkey release.pub -rawin -in {name} -sigfile {name}.sig"
                             for name in ("SHA256SUMS", "provenance.json")), "sha256sum -c SHA256SUMS")]
    else:
        parts += ["<p>With ingot (this release is not signed: the checks say whether it is whole, not whose it is):"
                  "</p>", _command(f"./doit verify {folder}"),
                  "<p>With the tools of any Linux machine, in the release's folder:</p>",
                  _command("sha256sum -c SHA256SUMS")]
    parts += ["<p>The image itself must have the digest that is given below:</p>",
              _command(f"zstd -dc {facts.folder}.img.zst | sha256sum")]
    if facts.again:
        parts += ["<p>Trust nobody: build it again from the sources of the commit above, and compare every stage:</p>",
                  _command(f"./doit reproduce image={facts.name} from={folder}")]
    return "\n".join(parts)


def _boot(facts: Facts) -> str:
    return "\n".join([
        "<p>Write it to a USB stick. The first command lists the sticks that may be written to, the second writes to "
        "one and refuses all other disks:</p>",
        _command("./doit flash", f"sudo ./doit flash device=/dev/sdX from=dist/{facts.folder}"),
        "<p>Without ingot, and at your own risk (a wrong name destroys another disk):</p>",
        _command(f"zstd -dc {facts.folder}.img.zst | sudo dd of=/dev/sdX bs=4M conv=fsync"),
        "<p>Then check the stick, on any machine:</p>",
        _command(f"sudo ./doit verify /dev/sdX from=dist/{facts.folder}")])


def _samples(samples: str) -> str:
    if not samples.strip():
        return "<p>None were kept.</p>"
    more = "<p>(cut here)</p>" if len(samples) > MOST_SAMPLES else ""
    return f'<pre class="samples">{text(samples[:MOST_SAMPLES].strip())}</pre>{more}'


def _image(facts: Facts) -> str:
    rows = [("Image", text(facts.image.name)), ("Size", f"{facts.image.size:,} bytes"),
            ("sha256", digest(facts.image.sha256)), ("Partition", f"{text(facts.partition)}, EFI system, FAT32, "
                                                     f"{size_text(facts.partition_size)}"),
            ("Partition GUID", f"<code>{text(facts.partition_guid)}</code>")]
    return "<dl>" + "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in rows) + "</dl>"


def _files(files: Iterable[FileFact], head: str) -> str:
    rows = "".join(f'<tr><th scope="row"><span class="name">{text(file.name)}</span>{digest(file.sha256)}</th>'
                   f'<td class="number">{file.size:,}</td></tr>\n' for file in files)
    return (f'<table><thead><tr><th scope="col">{head} and sha256</th><th scope="col" class="number">Bytes</th></tr>'
            f"</thead><tbody>\n{rows}</tbody></table>")


def _bars(stages: tuple[StageFact, ...]) -> str:
    """Seconds by kind of stage, the longest first: all compile:… stages are one bar."""
    kinds: dict[str, list[StageFact]] = {}
    for stage in stages:
        kinds.setdefault(stage.name.partition(":")[0], []).append(stage)
    times = {kind: sum(stage.seconds for stage in members) for kind, members in kinds.items()}
    longest = max(times.values(), default=0) or 1
    rows = []
    for kind in sorted(times, key=lambda one: -times[one]):
        many = f" <small>× {len(kinds[kind])}</small>" if len(kinds[kind]) > 1 else ""
        rows.append(f'<div><dt>{text(kind)}{many}</dt><dd><span class="track"><span class="bar" '
                    f'style="width:{100 * times[kind] / longest:.2f}%"></span></span>'
                    f'<span class="seconds">{time_text(times[kind])}</span></dd></div>')
    return '<dl class="bars">' + "\n".join(rows) + "</dl>"


_FETCHED = {False: "built", True: "from a remote cache", None: "not known where"}


def _stages(stages: Iterable[StageFact]) -> str:
    rows = "".join(f'<tr><th scope="row"><span class="name">{text(stage.name)}</span>{digest(stage.key)}</th>'
                   f'<td>{text(stage.executor)}<br><span class="{"built" if stage.fetched is False else "fetched"}">'
                   f'{_FETCHED[stage.fetched]}</span></td><td class="number">{time_text(stage.seconds)}</td></tr>\n'
                   for stage in stages)
    return ('<table><thead><tr><th scope="col">Stage and key</th><th scope="col">Made by</th>'
            f'<th scope="col" class="number">Time</th></tr></thead><tbody>\n{rows}</tbody></table>')
