"""A release: dist/NAME-VERSION, an image with what is needed to check it. Here are the names of its files."""

from __future__ import annotations

import re

from toolchain.recipe import NAME as NAME  # of an image

DIST = "dist"
EFI = "BOOTX64.EFI"
SBOM = "sbom.cdx.json"
PROVENANCE = "provenance.json"
REPORT = "report.html"
SUMS = "SHA256SUMS"
PUBLIC_KEY = "release.pub"
SUMS_SIGNATURE = "SHA256SUMS.sig"
PROVENANCE_SIGNATURE = "provenance.json.sig"
SIGNATURES = (PUBLIC_KEY, SUMS_SIGNATURE, PROVENANCE_SIGNATURE)  # all of them or none

VERSION = r"[0-9A-Za-z][0-9A-Za-z.+~_-]{0,60}"


def folder_of(name: str, version: str) -> str:
    """NAME-VERSION."""
    return f"{name}-{version}"


def image_of(name: str, version: str) -> str:
    """The image's file name as it was before it was compressed."""
    return f"{folder_of(name, version)}.img"


def packed_of(name: str, version: str) -> str:
    """The compressed image's file name."""
    return f"{image_of(name, version)}.zst"


def is_version(text: str) -> bool:
    """Whether the text can be a part of a file's name."""
    return re.fullmatch(VERSION, text) is not None


def is_name(text: str) -> bool:
    """Whether an image of this name can be released."""
    return re.fullmatch(NAME, text) is not None
