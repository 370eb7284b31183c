"""
Reader and writer of Avro's integers: zig-zag, then seven bits a byte, the lowest bits first.

Kafka's record format has the same. Compiled functions have their own, in ``schemas.columnar.varint``.
Source: https://avro.apache.org/docs/1.12.0/specification/#primitive-types-1
"""

from __future__ import annotations

__all__ = ["read_varint", "varint"]

_MAX_BITS = 70
"""Ten bytes of seven bits hold any number of 64 bits."""


def varint(number: int) -> bytes:
    """Return a number that is not negative in its shortest form."""
    number, out = number << 1, bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number at an index and the index after it; raise ValueError where none ends in ten bytes."""
    number = shift = 0
    try:
        while (byte := data[at]) > 0x7F:
            number |= (byte & 0x7F) << shift
            shift += 7
            at += 1
            if shift == _MAX_BITS:
                raise ValueError("no number ends within ten bytes")
    except IndexError:
        raise ValueError("the bytes end within a number") from None
    number |= byte << shift
    return number >> 1 ^ -(number & 1), at + 1
