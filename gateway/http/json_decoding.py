"""
Typed JSON decoding whose errors carry the JSON pointer of the field at fault.

msgspec reports paths as ``$.data[0].x``; JSON pointers are RFC 6901.
"""

from __future__ import annotations

import re
from typing import Any, Generic, TypeVar

import msgspec

from gateway.http.errors import Fault

__all__ = ["Decoder", "escape", "well_formed"]

T = TypeVar("T")

_PATH = re.compile(r"^(.*?)(?: - at `(\$[^`]*)`)?$", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `([^`]*)`")
_UNKNOWN = re.compile(r"^Object contains unknown field `(.*)`(?: - at `(\$[^`]*)`)?$", re.DOTALL)
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89aAbB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


class Decoder(Generic[T]):
    """A msgspec decoder of one type that raises Fault, whatever the bytes."""

    def __init__(self, kind: Any) -> None:
        self._decoder = msgspec.json.Decoder(kind)

    def read(self, data: bytes | msgspec.Raw) -> T:
        """Return the value in these bytes; raise Fault with the pointer of what does not fit."""
        try:
            return self._decoder.decode(data)  # type: ignore[no-any-return]
        except msgspec.ValidationError as error:
            raise _fault(str(error)) from error
        except RecursionError as error:
            raise Fault("nested too deeply") from error
        except UnicodeDecodeError as error:
            raise Fault("not UTF-8") from error
        except msgspec.DecodeError as error:
            raise Fault(f"not JSON: {error}") from error


def well_formed(data: bytes) -> bytes:
    """
    Return JSON text with every unpaired surrogate escape replaced by U+FFFD.

    JavaScript sends such an escape for a string cut inside an emoji; UTF-8, and so Avro, has no form for it.
    """
    if rb"\ud" not in data and rb"\uD" not in data:
        return data
    return _ESCAPE.sub(lambda found: rb"\ufffd" if found[1] else found[0], data)


def escape(token: str) -> str:
    """Return one token of a JSON pointer, escaped."""
    return token.replace("~", "~0").replace("/", "~1")


def _fault(message: str) -> Fault:
    unknown = _UNKNOWN.match(message)
    if unknown:
        name = unknown[1][:100]
        return Fault(f"unknown field {name!r}", f"{_pointer(unknown[2])}/{escape(name)}")
    said = _PATH.match(message)
    text, pointer = (said[1], _pointer(said[2])) if said else (message, "")
    missing = _MISSING.fullmatch(text)
    if missing:
        return Fault(f"required field {missing[1]!r} is missing", f"{pointer}/{escape(missing[1])}")
    return Fault(text.replace("`", ""), pointer)


def _pointer(path: str | None) -> str:
    return (path or "$")[1:].replace(".", "/").replace("[", "/").replace("]", "")
