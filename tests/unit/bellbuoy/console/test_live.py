"""The live picture: read whole, kept up by updates, and marked while the sink is away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from bellbuoy.console.live import LivePictures, Picture
from sinks.memory import MemorySink
from sinks.serving import ReadError, Update
from tests.support.output_records import alert, health


class Moody(MemorySink):
    """A sink that answers only while it likes."""

    sulks = False

    def updates(self, after_id: str, count: int, /, block_ms: int = 0) -> list[Update]:
        if self.sulks:
            raise ReadError("it sulks")
        return super().updates(after_id, count, min(block_ms, 20))

    def newest_update(self) -> str:
        if self.sulks:
            raise ReadError("it sulks")
        return super().newest_update()


async def until(pictures: LivePictures, condition: Callable[[Picture], Any]) -> Picture:
    async with asyncio.timeout(30):
        while True:
            picture = pictures.picture("demo")
            if picture is not None and condition(picture):
                return picture
            await pictures.changed(pictures.changes, 0.1)


async def test_a_picture_follows_the_sink() -> None:
    sink = Moody()
    sink.write([health("a", 1, 80.0), health("b", 2), health("c", 3, tenant="other"), alert("x", 1)])
    pictures = LivePictures(lambda: sink)
    assert await pictures.first_picture("demo", 0.0) is None
    pictures.start()
    try:
        first = await until(pictures, lambda _: True)
        assert (set(first.accounts), set(first.alerts)) == ({"a", "b"}, {"x"})

        sink.write([health("a", 5, 20.0), alert("x", 6, acknowledged_by="kim"), alert("s", 7, shadow=True)])
        moved = await until(pictures, lambda now: now.accounts["a"].score == 20.0)
        moved = await until(pictures, lambda now: now.alerts["x"].acknowledged_by == "kim")
        assert "s" not in moved.alerts
        assert [entry.score for entry in moved.trends["a"]] == [20.0], "one score a day, the last"
        assert first.accounts["a"].score == 80.0, "a picture never changes"

        gone = health("b", 8, 0.0, band="unknown", deleted=True)
        sink.write([gone, alert("x", 9, "resolved")])
        left = await until(pictures, lambda now: "b" not in now.accounts and not now.alerts)
        assert set(left.accounts) == {"a"}
    finally:
        pictures.stop()


async def test_a_sink_that_is_away_leaves_the_last_picture_and_is_read_anew() -> None:
    sink = Moody()
    sink.write([health("a", 1)])
    pictures = LivePictures(lambda: sink)
    pictures.start()
    try:
        await until(pictures, lambda _: True)
        sink.sulks = True
        async with asyncio.timeout(30):
            while pictures.away is None:
                await pictures.changed(pictures.changes, 0.1)
        assert pictures.away == "it sulks"
        sink.write([health("b", 2)])
        left = pictures.picture("demo")
        assert left is not None
        assert set(left.accounts) == {"a"}
        sink.sulks = False
        await until(pictures, lambda now: set(now.accounts) == {"a", "b"})
        async with asyncio.timeout(30):
            while pictures.away is not None:
                await pictures.changed(pictures.changes, 0.1)
    finally:
        pictures.stop()


async def test_a_change_before_the_wait_is_not_missed() -> None:
    pictures = LivePictures(MemorySink)
    pictures.start()
    try:
        since = pictures.changes
        pictures.announce()
        await asyncio.sleep(0)
        async with asyncio.timeout(30):
            await pictures.changed(since, 3_600)
    finally:
        pictures.stop()
