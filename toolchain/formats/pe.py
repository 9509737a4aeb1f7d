"""PE32+ programs (Microsoft's PE specification), their signatures left out, and the digest that a signature is over."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from toolchain.formats import FormatError

FILE_HEADER = struct.Struct("<HHIIIHH")
SECTION = struct.Struct("<8sIIIIIIHHI")
PE32_PLUS = 0x20B
CHECKSUM, DIRECTORIES = 64, 108  # offsets in the optional header; the count of directories comes before them
SECURITY = 4  # the directory of certificates
SECTIONS_MAX = 96
LARGEST = 1 << 30  # bytes of a program that is read as a whole; FAT would allow four times that


@dataclass(frozen=True)
class Section:
    """`offset` and `raw` bytes in the file; `address` and `size` in memory."""

    name: str
    address: int
    size: int
    offset: int
    raw: int
    flags: int


@dataclass(frozen=True)
class Pe:
    """A program's headers; `signature` is where the certificates lie (offset, bytes), if there are any."""

    machine: int
    timestamp: int
    entry: int
    subsystem: int
    checksum: int
    headers: int
    sections: tuple[Section, ...]
    signature: tuple[int, int] | None
    checksum_at: int
    security_at: int


def read(data: bytes) -> Pe:
    """The headers; FormatError where something does not lie in the file."""
    if len(data) < 64 or data[:2] != b"MZ":
        raise FormatError("not a PE program")
    at = _u32(data, 0x3C)
    if data[at:at + 4] != b"PE\0\0" or at + 4 + FILE_HEADER.size > len(data):
        raise FormatError("not a PE program")
    machine, count, timestamp, _, _, optional_size, _ = FILE_HEADER.unpack_from(data, at + 4)
    optional = at + 4 + FILE_HEADER.size
    if optional_size < DIRECTORIES + 4 or optional + optional_size > len(data) or _u16(data, optional) != PE32_PLUS:
        raise FormatError("not a 64-bit PE program")
    directories = _u32(data, optional + DIRECTORIES)
    if directories <= SECURITY or DIRECTORIES + 4 + directories * 8 > optional_size:
        raise FormatError(f"a PE program with {directories} directories")
    security_at = optional + DIRECTORIES + 4 + SECURITY * 8
    headers = _u32(data, optional + 60)
    table = optional + optional_size
    if count > SECTIONS_MAX or table + count * SECTION.size > min(headers, len(data)) or headers > len(data):
        raise FormatError(f"a PE program with {count} sections and {headers} bytes of headers")
    sections = []
    for index in range(count):
        name, size, address, raw, offset, *_, flags = SECTION.unpack_from(data, table + index * SECTION.size)
        if raw and (offset < headers or offset + raw > len(data)):
            raise FormatError(f"a section of {raw} bytes at {offset} of {len(data)}")
        sections.append(Section(name.rstrip(b"\0").decode("latin-1"), address, size, offset, raw, flags))
    where, length = _u32(data, security_at), _u32(data, security_at + 4)
    if length and (where % 8 or where < headers or where + length > len(data)):
        raise FormatError(f"a signature of {length} bytes at {where} of {len(data)}")
    return Pe(machine, timestamp, _u32(data, optional + 16), _u16(data, optional + 68), _u32(data, optional + CHECKSUM),
              headers, tuple(sections), (where, length) if length else None, optional + CHECKSUM, security_at)


def unsigned(data: bytes) -> bytes:
    """The program without its signature: certificates and the padding before them cut, and the fields
    that signing changes (checksum, directory of certificates) zero, so that a signed program and the one that it
    was made of give the same bytes."""
    pe = read(data)
    out = bytearray(_body(data, pe))
    out[pe.checksum_at:pe.checksum_at + 4] = bytes(4)
    out[pe.security_at:pe.security_at + 8] = bytes(8)
    end = max([pe.headers, *(section.offset + section.raw for section in pe.sections if section.raw)])
    kept = max(end, len(out.rstrip(b"\0")))  # signing pads to a multiple of eight
    del out[kept:]
    return bytes(out)


def authenticode(data: bytes) -> bytes:
    """sha256 of all but checksum, directory of certificates and certificates, padded to a multiple of eight
    (Microsoft's Authenticode_PE: headers, then sections, which here lie in the order of the file)."""
    pe = read(data)
    body = _body(data, pe)
    digest = hashlib.sha256(body[:pe.checksum_at])
    digest.update(body[pe.checksum_at + 4:pe.security_at])
    digest.update(body[pe.security_at + 8:])
    digest.update(bytes(-len(body) % 8))
    return digest.digest()


def _body(data: bytes, pe: Pe) -> memoryview:
    """What lies before the certificates, without a copy; nothing may follow them, where a signature would not cover
    it."""
    if pe.signature is None:
        return memoryview(data)
    where, length = pe.signature
    if where + length != len(data):
        raise FormatError(f"{len(data) - where - length} bytes follow the signature")
    return memoryview(data)[:where]


def _u16(data: bytes, at: int) -> int:
    return int(struct.unpack_from("<H", data, at)[0]) if at + 2 <= len(data) else _short(at)


def _u32(data: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", data, at)[0]) if at + 4 <= len(data) else _short(at)


def _short(at: int) -> int:
    raise FormatError(f"ends before byte {at}")
