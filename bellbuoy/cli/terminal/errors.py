"""Reports of errors that end a command: one line on stderr that says what, where and how to fix it."""

from __future__ import annotations

import os
import traceback

from bellbuoy.cli.terminal.output import warn
from bellbuoy.errors import OperatorError
from bellbuoy.exit_codes import AWAY, CONFIGURATION, INTERNAL

__all__ = ["report_error"]


def report_error(error: Exception) -> int:
    """Print *error* for an operator on stderr and return its exit code."""
    code, message = _code_and_message(error)
    if code == INTERNAL and os.environ.get("BELLBUOY_LOG_LEVEL", "").lower() == "debug":
        traceback.print_exception(error)
    warn(message)
    return code


def _code_and_message(error: Exception) -> tuple[int, str]:
    if isinstance(error, OperatorError):
        return error.exit_code, str(error)
    # Errors of the packages below, which know no exit codes; imported here, so that every start is quick.
    from confluent_kafka import KafkaException

    from bellbuoy.operations.kafka.errors import not_allowed
    from sinks.port import SinkError, SinkSettingsError
    from sinks.serving import ReadError
    from streams.kafka.errors import NOT_ALLOWED

    match error:
        case SinkSettingsError():
            return CONFIGURATION, str(error)
        case SinkError() | ReadError():
            return AWAY, str(error)
        case KafkaException():
            reason = error.args[0]
            if reason.code() in NOT_ALLOWED:
                return CONFIGURATION, not_allowed(reason)
            return (
                AWAY,
                f"Kafka refused or didn't answer: {reason.str()}; see that it is up, then start again",
            )
    return INTERNAL, (
        f"internal error: {type(error).__name__}: {error}\nSet BELLBUOY_LOG_LEVEL=debug for a traceback."
    )
