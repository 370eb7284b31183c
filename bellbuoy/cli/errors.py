"""How an error is told: what, where and how to mend it; never a traceback."""

from __future__ import annotations

import os
import sys
import traceback

from confluent_kafka import KafkaException

from bellbuoy.exit_codes import AWAY, CONFIGURATION, FAILED, INTERNAL
from bellbuoy.local.embedded.errors import DownloadError, EmbeddedError
from bellbuoy.local.stack import StackError
from bellbuoy.operations.changes import ChangeError, OvertakenError
from bellbuoy.operations.model_files import ModelFileError
from bellbuoy.operations.registry import RegistryError
from bellbuoy.operations.roles import RoleError
from bellbuoy.operations.topics import KafkaAwayError
from bellbuoy.settings import ConfigError
from sinks.port import SinkError, SinkSettingsError
from sinks.serving import ReadError
from streams.runtime.errors import DeliveryError

__all__ = ["report_error"]


def report_error(error: Exception) -> int:
    """Print *error* for an operator on stderr and return its exit code."""
    code = _code(error)
    if code == INTERNAL:
        if os.environ.get("BELLBUOY_LOG_LEVEL", "").lower() == "debug":
            traceback.print_exception(error)
        message = (
            f"internal error: {type(error).__name__}: {error}\nSet BELLBUOY_LOG_LEVEL=debug for a traceback."
        )
    elif isinstance(error, KafkaException):
        message = (
            f"Kafka refused or didn't answer: {error.args[0].str()}; see that it is up, then start again"
        )
    else:
        message = str(error)
    sys.stderr.write(f"bellbuoy: {message}\n")
    return code


def _code(error: Exception) -> int:
    match error:
        case ConfigError() | SinkSettingsError() | ModelFileError() | ChangeError():
            return CONFIGURATION
        case (
            KafkaAwayError()
            | ReadError()
            | SinkError()
            | RegistryError()
            | DownloadError()
            | KafkaException()
        ):
            return AWAY
        case EmbeddedError() | RoleError() | StackError() | DeliveryError() | OvertakenError():
            return FAILED
        case _:
            return INTERNAL
