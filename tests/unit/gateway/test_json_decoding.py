"""The messages of the locked msgspec are those that the decoder parses for the field at fault."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pytest

from gateway.http.errors import Fault
from gateway.http.json_decoding import Decoder


class Inner(msgspec.Struct):
    n: Annotated[int, msgspec.Meta(ge=0)] = 0
    kind: Literal["a", "b"] = "a"
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=3, pattern="^[a-z]+$")] = "x"


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    items: list[Inner] = []


@pytest.mark.parametrize(
    ("raw", "message", "detail", "pointer"),
    [
        ("{}", "Object missing required field `id`", "required field 'id' is missing", "/id"),
        ('{"id": 1}', "Expected `str`, got `int` - at `$.id`", "Expected str, got int", "/id"),
        ("[]", "Expected `object`, got `array`", "Expected object, got array", ""),
        (
            '{"id": "", "items": [{}, {"n": -1}]}',
            "Expected `int` >= 0 - at `$.items[1].n`",
            "Expected int >= 0",
            "/items/1/n",
        ),
        (
            '{"id": "", "items": [{"kind": "c"}]}',
            "Invalid enum value 'c' - at `$.items[0].kind`",
            "Invalid enum value 'c'",
            "/items/0/kind",
        ),
        (
            '{"id": "", "items": [{"text": ""}]}',
            "Expected `str` of length >= 1 - at `$.items[0].text`",
            "Expected str of length >= 1",
            "/items/0/text",
        ),
        (
            '{"id": "", "items": [{"text": "A"}]}',
            "Expected `str` matching regex '^[a-z]+$' - at `$.items[0].text`",
            "Expected str matching regex '^[a-z]+$'",
            "/items/0/text",
        ),
        (
            '{"id": "", "m/o~r`e": 1}',
            "Object contains unknown field `m/o~r`e`",
            "unknown field 'm/o~r`e'",
            "/m~1o~0r`e",
        ),
    ],
)
def test_a_message_becomes_a_detail_and_a_pointer(raw: str, message: str, detail: str, pointer: str) -> None:
    with pytest.raises(msgspec.ValidationError) as error:
        msgspec.json.decode(raw, type=Outer)
    assert str(error.value) == message
    with pytest.raises(Fault) as fault:
        Decoder[Any](Outer).read(raw.encode())
    assert (fault.value.detail, fault.value.pointer) == (detail, pointer)


def test_the_pointer_of_a_part_begins_where_the_part_is() -> None:
    for raw, pointer in ((b'{"n": ""}', "/detail/n"), (b"{", "/detail"), (b"\xff", "/detail")):
        with pytest.raises(Fault) as fault:
            Decoder[Any](Inner).read(raw, "/detail")
        assert fault.value.pointer == pointer
