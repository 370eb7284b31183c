"""What is compiled, and when."""

from __future__ import annotations

import sys
from typing import Any

from numba.core.dispatcher import Dispatcher

from schemas.codec.record_codec import codec
from schemas.codec.registry import committed
from schemas.records import UsageEvent
from streams.journal.warm_up import warm_up
from tests.support.stored_usage import NOW, enveloped, intake, stored, written


def compiled() -> dict[str, list[Any]]:
    """The types that each function of ours has been compiled for."""
    return {
        f"{name}.{function}": list(value.signatures)
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in {"schemas", "processors", "streams"}
        for function, value in vars(module).items()
        if isinstance(value, Dispatcher)
    }


def test_after_warming_up_nothing_is_compiled_any_more() -> None:
    warm_up(committed())
    before = compiled()
    encode = codec("usage.events").encode
    event = UsageEvent(
        event_id="1", tenant="acme", account_id="a", source="s", occurred_at=NOW, received_at=NOW, name="n"
    )
    late = UsageEvent(
        event_id="2", tenant="acme", account_id="a", source="s", occurred_at=0, received_at=NOW, name="n"
    )
    many = [encode(UsageEvent(
        event_id=f"{n}", tenant="acme", account_id="b", source="s", occurred_at=NOW, received_at=NOW,
        name="n", user_id="\u00fc", feature="f", latency_ms=n,
    )) for n in range(3_000)]  # fmt: skip
    values = [encode(event), encode(late), b"broken", None, enveloped(many), encode(event)[:-1] + b"\x80\0"]
    kept = stored([[(b"k", value, []) for value in values], [(None, encode(event), [])]])
    window = intake()
    result = window.sort(kept, NOW)
    assert (result.admitted, result.duplicates, len(result.dead_letters)) == (3_001, 2, 3)
    first, second = result.halves()
    assert written(first)
    assert written(second)
    assert written(window.sort([], NOW))

    assert compiled() == before
    assert before["schemas.columnar.usage_decoder._records"]
