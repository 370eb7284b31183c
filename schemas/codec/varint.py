"""
Avro's integers: zig-zag, then seven bits a byte, the lowest first. Kafka's record format has the same.

Source: https://avro.apache.org/docs/1.12.0/specification/#primitive-types-1
"""

from __future__ import annotations

__all__ = ["read_varint", "varint"]

_MOST_BYTES = 10


def varint(number: int) -> bytes:
    """Return the shortest form of a number that is not negative."""
    number, out = number << 1, bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number that begins at a position, and the position after it; raise ValueError for none."""
    number = 0
    for place, byte in enumerate(data[at : at + _MOST_BYTES]):
        number |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return number >> 1 ^ -(number & 1), at + place + 1
    raise ValueError("no number ends here")
