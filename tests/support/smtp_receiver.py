"""SMTP server on a port of its own that keeps mails, and misbehaves as scripted."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

Behaviour = Callable[[SMTP, Envelope], Awaitable[str]]


class SmtpReceiver:
    """
    The server; ``with`` closes it.

    Each mail meets the next of ``script``, then it is taken. ``inbox`` are the mails that were taken, in
    order; ``refused`` maps an address to the answer that RCPT for it gets.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, password: str | None = None) -> None:
        self.script: deque[Behaviour] = deque()
        self.inbox: list[tuple[str, EmailMessage]] = []
        self.refused: dict[str, str] = {}
        self.logins: list[tuple[str, str]] = []
        self.over = threading.Event()
        self._password = password
        self._controller = Controller(
            self,
            hostname="127.0.0.1",
            port=_free_port(),
            tls_context=tls,
            require_starttls=tls is not None,
            authenticator=self._authenticate,
            auth_required=password is not None,
            auth_require_tls=tls is not None,
        )

    @property
    def port(self) -> int:
        return int(self._controller.port)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of a channel that sends its mails here, without encryption."""
        return {
            "type": "email",
            "host": "127.0.0.1",
            "port": self.port,
            "security": "none",
            "sender": "bell@example.com",
            "to": "cs@example.com",
        }

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the server; harmless when it is ended already."""
        self.over.set()
        if self._controller.server is not None:
            self._controller.stop()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _: SMTP, __: Session, envelope: Envelope, address: str, ___: list[str]
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, _: Session, envelope: Envelope
    ) -> str:
        if self.script:
            return await self.script.popleft()(server, envelope)
        self.keep(envelope)
        return "250 OK"

    def keep(self, envelope: Envelope) -> None:
        content: Any = envelope.content
        mail: Any = BytesParser(policy=default).parsebytes(content)
        self.inbox.append((envelope.rcpt_tos[0], mail))

    def _authenticate(self, _: SMTP, __: Session, ___: Envelope, ____: str, data: Any) -> AuthResult:
        login = data.login.decode(), data.password.decode()
        self.logins.append(login)
        return AuthResult(success=login[1] == self._password, handled=False)

    def hang(self) -> Behaviour:
        """Don't take the mail, and never answer."""

        async def behave(_: SMTP, __: Envelope) -> str:
            while not self.over.is_set():  # noqa: ASYNC110 - another thread sets it
                await asyncio.sleep(0.05)
            return "421 over"

        return behave

    def drip(self) -> Behaviour:
        """Don't take the mail, and answer so slowly that it never ends."""

        async def behave(server: SMTP, _: Envelope) -> str:
            while not self.over.is_set():
                server.transport.write(b"2")  # type: ignore[union-attr]
                await asyncio.sleep(0.05)
            return "421 over"

        return behave

    def lose_the_answer(self) -> Behaviour:
        """Take the mail, and reset the connection before the answer is out."""

        async def behave(server: SMTP, envelope: Envelope) -> str:
            self.keep(envelope)
            return await reset(server, envelope)

        return behave


def answer(text: str) -> Behaviour:
    """Don't take the mail; answer this."""

    async def behave(_: SMTP, __: Envelope) -> str:
        return text

    return behave


async def reset(server: SMTP, _: Envelope) -> str:
    """Don't take the mail, and reset the connection."""
    transport: Any = server.transport
    transport.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
    )
    transport.abort()
    return "250 OK"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
