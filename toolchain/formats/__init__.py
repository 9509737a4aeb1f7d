"""Readers of file formats: bytes come from outside, so every offset and count is checked before it is used."""

from __future__ import annotations


class FormatError(Exception):
    """Bytes that are not what their format allows; the text says what and where."""
