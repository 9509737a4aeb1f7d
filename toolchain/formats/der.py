"""DER, as signatures and certificates are written in it: tag, length, content, in one way alone."""

from __future__ import annotations

from dataclasses import dataclass

from toolchain.formats import FormatError

INTEGER, OCTETS, OID, SEQUENCE, SET = 0x02, 0x04, 0x06, 0x30, 0x31
PARTS_MAX = 64  # of one value; what we read has a handful


@dataclass(frozen=True)
class Value:
    """One value: `content` without tag and length, `whole` with them."""

    tag: int
    content: bytes
    whole: bytes

    def parts(self) -> list[Value]:
        """The values in it, in order."""
        found: list[Value] = []
        rest = self.content
        while rest:
            if len(found) == PARTS_MAX:
                raise FormatError(f"DER: more than {PARTS_MAX} parts")
            part, rest = take(rest)
            found.append(part)
        return found

    def want(self, tag: int) -> Value:
        """Itself, where it is of this kind."""
        if self.tag != tag:
            raise FormatError(f"DER: kind {self.tag:#x} where {tag:#x} belongs")
        return self


def take(data: bytes) -> tuple[Value, bytes]:
    """The first value of `data`, and what follows it."""
    if len(data) < 2 or data[0] & 0x1F == 0x1F:
        raise FormatError("DER: no value where one belongs")
    length, start = data[1], 2
    if length >= 0x80:
        count = length & 0x7F
        start = 2 + count
        if not 1 <= count <= 4 or start > len(data):
            raise FormatError("DER: a length of no fixed size")
        length = int.from_bytes(data[2:start], "big")
        if length < 0x80 or data[2] == 0:
            raise FormatError("DER: a length written longer than it must be")
    if length > len(data) - start:
        raise FormatError(f"DER: a value of {length} bytes where {len(data) - start} are left")
    return Value(data[0], data[start:start + length], data[:start + length]), data[start + length:]


def oid(text: str) -> bytes:
    """'1.2.840.113549' as the content of a value of kind OID."""
    first, second, *others = map(int, text.split("."))
    out = bytearray()
    for number in (40 * first + second, *others):
        digits = [number & 0x7F]
        while number := number >> 7:
            digits.append(0x80 | number & 0x7F)
        out += bytes(reversed(digits))
    return bytes(out)
