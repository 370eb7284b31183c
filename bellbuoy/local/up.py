"""Foreground run of the stack: start everything, print the addresses, stop on a signal."""

from __future__ import annotations

import signal
import sys
import time
from types import FrameType

from bellbuoy.local.servers import with_installed_servers
from bellbuoy.local.stack import Stack, StackError
from bellbuoy.settings import Settings

__all__ = ["run_stack"]


class _StopRequested(BaseException):
    """A signal arrived while the stack was starting."""


def run_stack(settings: Settings) -> None:
    """
    Run the stack until SIGINT, SIGTERM or SIGHUP.

    Raises what ``Stack.start`` raises, and StackError when a part is lost for good; everything is
    stopped then.
    """
    began = time.monotonic()
    stack = Stack(with_installed_servers(settings), say=_say)
    _on_signals(_request_stop)
    try:
        stack.start()
        _say(_summary(stack, time.monotonic() - began))
        while not stack.failed.wait(0.5):
            pass
    except _StopRequested:
        _say("Stopping.")
    finally:
        _on_signals(signal.SIG_IGN)  # a second Ctrl-C must not leave a part behind
        stack.stop()
    if stack.failure:
        raise StackError(f"{stack.failure}\neverything was stopped; nothing accepted is lost")
    _say("Stopped.")


def _request_stop(_number: int, _frame: FrameType | None) -> None:
    raise _StopRequested


def _on_signals(action: signal.Handlers | object) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, action)  # type: ignore[arg-type]


def _summary(stack: Stack, seconds: float) -> str:
    at = stack.addresses
    return "\n".join(
        [
            f"Bellbuoy is up ({seconds:.1f} s).",
            f"  console  {stack.console_link()}  (signs you in, once)",
            f"  gateway  {at.gateway}",
            f"  Kafka    {at.connection}",
            *(f"  {server.title:<8} {url}" for server, url in at.servers.items()),
            *(f"  metrics  {url}  ({role})" for role, url in at.metrics.items()),
            *([f"  inbox    {at.inbox}"] if at.inbox else []),
            f"  data     {stack.settings.data}",
            "Ctrl-C stops it; the data stays.",
        ]
    )


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
