"""
E-mail channel: sends notifications by SMTP (RFC 5321), encrypted by STARTTLS or TLS.

A connection lasts for one mail. What the server answers is read as RFC 5321 says: 4xx may pass, 5xx won't;
but a refusal before the mail's own address and content were looked at (login, sender, no service) is the
operator's to repair, so the mail waits for that.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from sinks.notify.email.mail import encode_mail
from sinks.notify.email.settings import EmailSettings, parse
from sinks.notify.links import Links
from sinks.notify.message import compose
from sinks.notify.port import (
    DeliveryReceipt,
    Notification,
    PermanentError,
    TemporaryError,
    UnknownOutcomeError,
)

__all__ = ["EmailChannel"]

_PERMANENT = 500


class EmailChannel:
    """
    Channel of one SMTP server; addresses are e-mail addresses.

    It is not idempotent: a mail that was sent twice arrives twice, with one Message-ID.
    """

    idempotent = False
    updates = False

    def __init__(
        self,
        settings: EmailSettings,
        name: str = "email",
        links: Links | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._settings, self._links, self._clock = settings, links or Links(), clock
        self._sender = parse(settings.sender)

    def check(self) -> None:
        """Connect, encrypt and log in; raise TemporaryError."""
        with self._session() as session:
            session.noop()

    def notify(self, notification: Notification, /) -> DeliveryReceipt:
        """Send the mail; raise as the port says."""
        to = parse(notification.address or self._settings.to)
        sent_at = int(self._clock() * 1000)
        content = notification.content
        mail = encode_mail(content, compose(content, self._links, sent_at), self._sender, to, sent_at)
        with self._session() as session:
            self._command("the sender", session.mail(self._sender.addr_spec), wait=True)
            self._command(to.addr_spec, session.rcpt(to.addr_spec))
            self._command("the content", session.data(mail.as_bytes()))
        return DeliveryReceipt(message_id=str(mail["Message-ID"]))

    def close(self) -> None:
        """Do nothing; a connection lasts for one mail."""

    def _command(self, about: str, answer: tuple[int, bytes], *, wait: bool = False) -> None:
        """Raise the error that an answer about *about* means; with ``wait`` a refusal may be repaired."""
        code, text = answer
        if code < 400:
            return
        said = f"{self._settings.host} refused {about}: {code} {_words(text)}"
        raise TemporaryError(said) if wait or code < _PERMANENT else PermanentError(said)

    @contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        """Yield a session that is encrypted and logged in, cut off when its time is over."""
        host = self._settings.host
        started = False
        session = self._made()
        cut = threading.Event()
        timer = threading.Timer(self._settings.timeout_seconds, _cut, (session, cut))
        timer.daemon = True
        timer.start()
        try:
            self._begin(session)
            started = True
            yield session
            if cut.is_set():  # half an answer may look like a good one
                raise UnknownOutcomeError(f"{host} didn't answer within {self._settings.timeout_seconds:g} s")
            with suppress(smtplib.SMTPException, OSError):  # the mail is taken: what follows doesn't matter
                session.quit()
        except smtplib.SMTPDataError as error:
            self._command("the content", (error.smtp_code, _bytes(error.smtp_error)))
        except smtplib.SMTPAuthenticationError as error:
            raise TemporaryError(f"{host} refused the login: {error.smtp_code}") from None
        except smtplib.SMTPResponseException as error:
            raise TemporaryError(
                f"{host} answered {error.smtp_code} {_words(_bytes(error.smtp_error))}"
            ) from None
        except (OSError, smtplib.SMTPException) as error:
            if started:
                raise UnknownOutcomeError(f"{host} didn't answer to the end: {_why(error)}") from error
            raise TemporaryError(f"{host}:{self._settings.port} can't be used: {_why(error)}") from error
        finally:
            timer.cancel()
            session.close()

    def _made(self) -> smtplib.SMTP:
        """Return a session that is not connected yet, so that the time for connecting is bounded too."""
        settings = self._settings
        session = (
            smtplib.SMTP_SSL(timeout=settings.timeout_seconds, context=ssl.create_default_context())
            if settings.security == "tls"
            else smtplib.SMTP(timeout=settings.timeout_seconds)
        )
        session._host = settings.host  # type: ignore[attr-defined]  # noqa: SLF001 - compared with the certificate
        return session

    def _begin(self, session: smtplib.SMTP) -> None:
        settings = self._settings
        code, text = session.connect(settings.host, settings.port)
        if code >= 400:
            raise smtplib.SMTPConnectError(code, text)
        if settings.security == "starttls":
            session.starttls(context=ssl.create_default_context())
        session.ehlo_or_helo_if_needed()
        if settings.password is not None:
            session.login(settings.username, settings.password.get_secret_value())


def _cut(session: smtplib.SMTP, cut: threading.Event) -> None:
    cut.set()
    sock = session.sock
    if sock is not None:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def _bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def _words(text: bytes) -> str:
    return " ".join(text.decode(errors="replace").split())[:200]


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
