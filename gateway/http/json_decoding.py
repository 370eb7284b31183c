"""
JSON decoder whose errors carry the JSON pointer of the field at fault.

msgspec gives the path of a fault only inside its error's message, as in "Expected `int`, got `str` - at
`$.data[0].x`". So the message is parsed with regular expressions, and the path is rewritten as a JSON
pointer (RFC 6901). tests/unit/gateway/test_json_decoding.py holds the messages of the locked msgspec.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from functools import cached_property
from typing import Any, Generic, TypeVar

import msgspec

from gateway.http.errors import Fault

__all__ = ["Decoder", "escape", "well_formed"]

T = TypeVar("T")

_PATH = " - at `$"
"""Stands before the path, which ends the message; the text before it may quote the sender."""

_MISSING = re.compile(r"Object missing required field `([^`]*)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
"""Without a path: only the flat forms of typed events refuse unknown fields. A name may contain backticks."""

_UNPAIRED = re.compile(
    rb"\\u[dD](?:"
    rb"[89aAbB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?<!\\u[dD][89aAbB][0-9a-fA-F]{2}\\u[dD])[c-fC-F][0-9a-fA-F]{2})"
)
"""An escape of half a pair of surrogates, in JSON without escaped backslashes."""


_MAX_REPAIRS = 10_000
"""
Most unpaired surrogates of one body that are replaced; with more it is refused as no JSON.

A text that was cut has one, so a batch of the most events has a few thousand.
"""


class Decoder(Generic[T]):
    """
    A msgspec JSON decoder of one type that raises Fault, and nothing else, whatever the bytes are.

    It is made when it is first needed: reading the settings loads every source, and decodes nothing.
    A ``lax`` one also reads numbers and flags that are written as text.
    """

    def __init__(self, kind: Any, *, lax: bool = False) -> None:
        self._kind = kind
        self._lax = lax

    @cached_property
    def _decoder(self) -> msgspec.json.Decoder[Any]:
        return msgspec.json.Decoder(self._kind, strict=not self._lax)

    def read(self, data: bytes | msgspec.Raw, pointer: str = "") -> T:
        """
        Return the decoded value; raise Fault with the pointer of the field that does not fit.

        ``pointer`` is that of the data within the event.
        """
        try:
            return self._decoder.decode(data)  # type: ignore[no-any-return]
        except msgspec.ValidationError as error:
            detail, field = _parse(str(error))
            raise Fault(detail, pointer + field) from error
        except RecursionError as error:
            raise Fault("nested too deeply", pointer) from error
        except UnicodeDecodeError as error:
            raise Fault("not UTF-8", pointer) from error
        except msgspec.DecodeError as error:
            raise Fault(f"not JSON: {error}", pointer) from error


def well_formed(data: bytes) -> bytes:
    """
    Return JSON text with its unpaired surrogate escapes, up to 10,000, replaced by U+FFFD.

    A byte order mark, as .NET writes one, is taken off.
    JavaScript sends such an escape for a string that was cut inside an emoji. UTF-8, and so Avro, can't
    hold it.
    """
    data = data.removeprefix(BOM_UTF8)
    if (rb"\ud" not in data and rb"\uD" not in data) or b"\xff" in data:
        return data  # 0xFF is not UTF-8: the decoder refuses it
    # Of a run of backslashes each two are one escaped backslash. They are set aside, as a byte that UTF-8
    # doesn't have, so that one pass of the regular expression without a call for each escape is enough.
    single = data.replace(rb"\\", b"\xff")
    return _UNPAIRED.sub(rb"\\ufffd", single, _MAX_REPAIRS).replace(b"\xff", rb"\\")


def escape(token: str) -> str:
    """Return one token of a JSON pointer, escaped."""
    return token.replace("~", "~0").replace("/", "~1")


def _parse(message: str) -> tuple[str, str]:
    """Return what a message of msgspec says is wrong, and the JSON pointer of the field at fault."""
    unknown = _UNKNOWN.fullmatch(message)
    if unknown:
        name = unknown[1][:100]
        return f"unknown field {name!r}", f"/{escape(name)}"
    text, found, path = message.rpartition(_PATH)
    text, pointer = (text, _pointer(path.removesuffix("`"))) if found else (message, "")
    missing = _MISSING.fullmatch(text)
    if missing:
        return f"required field {missing[1]!r} is missing", f"{pointer}/{escape(missing[1])}"
    return text.replace("`", ""), pointer


def _pointer(path: str) -> str:
    return path.replace(".", "/").replace("[", "/").replace("]", "")
