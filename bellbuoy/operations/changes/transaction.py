"""The transaction of a change, and the refusals of one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bellbuoy.errors import OperatorError
from bellbuoy.exit_codes import CONFIGURATION
from processors.intake.admission import MAX_TEXT
from schemas.connection import Connection
from streams.kafka.errors import FencedError
from streams.kafka.transactional_producer import TransactionalProducer

__all__ = ["ChangeError", "OvertakenError", "change_transaction", "check_texts"]


class ChangeError(OperatorError):
    """A change can't be made as asked; the message says why and what to do instead."""

    exit_code = CONFIGURATION


class OvertakenError(OperatorError):
    """
    Another change was made at the same moment, and nothing of this one is in the journal.

    Operator action: look at what is in force now, and make the change again if it is still wanted.
    """


def check_texts(**texts: str) -> None:
    """
    Raise ChangeError for a text that the journal would refuse.

    The change would become a dead letter after its author was told that it is made.
    """
    for name, text in texts.items():
        if not text.strip():
            raise ChangeError(f"the {name} is empty; say it in a few words (--{name})")
        if len(text) > MAX_TEXT:
            raise ChangeError(
                f"the {name} has {len(text):,} characters, at most {MAX_TEXT:,}; shorten --{name}"
            )


@contextmanager
def change_transaction(
    connection: Connection, transactional_id: str, what: str
) -> Iterator[TransactionalProducer]:
    """
    Commit all that the block produces, or nothing; raise OvertakenError when another change did so.

    An earlier change under the same transactional id has ended, and can be read, before the block begins.
    """
    try:
        producer = TransactionalProducer(connection, transactional_id)
        producer.begin()
        yield producer
        producer.commit()
    except FencedError:
        message = (
            f"another change {what} took over at the same moment and this one was not made; run it again"
        )
        raise OvertakenError(message) from None
