"""Errors of one event (Fault) and of a whole request (HttpError)."""

from __future__ import annotations

__all__ = ["Fault", "HttpError"]


class Fault(ValueError):  # noqa: N818 - what is wrong with an event, not an error of the program
    """
    One event can't be used; the request that carries it may still be good.

    ``reason`` is one of the dead-letter reasons; ``pointer`` is the JSON pointer of the field at fault
    inside the event, ``""`` for the event itself.
    """

    def __init__(self, detail: str, pointer: str = "", reason: str = "invalid") -> None:
        super().__init__(detail)
        self.detail = detail
        self.pointer = pointer
        self.reason = reason


class HttpError(Exception):
    """
    The whole request is refused with this HTTP status.

    ``code`` is a stable word for programs, ``message`` says what to correct, ``retry_after`` is in seconds.
    ``tenant`` is whose request it is, where a key says so.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        pointer: str | None = None,
        retry_after: int | None = None,
        tenant: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.pointer = pointer
        self.retry_after = retry_after
        self.tenant = tenant

    @classmethod
    def of(cls, fault: Fault) -> HttpError:
        """Return the answer to a request whose only event has this fault."""
        return cls(400, "invalid", fault.detail, fault.pointer)

    def body(self) -> dict[str, str]:
        """Return the answer's JSON: ``code``, ``message`` and, where one field is at fault, ``pointer``."""
        body = {"code": self.code, "message": self.message}
        return body if self.pointer is None else body | {"pointer": self.pointer}

    def headers(self) -> dict[str, str]:
        """Return the answer's headers; a Basic challenge would make a browser ask its user for a password."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return headers | {"WWW-Authenticate": 'Bearer realm="bellbuoy"'} if self.status == 401 else headers
