"""Page of an action link: says what it would do, and does it when the person presses the button."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from gateway.actions.secrets import ActionSecrets
from gateway.actions.writing import SNOOZE_DAYS, alert_action, write_actions
from gateway.http.body import BodyReader
from gateway.http.errors import HttpError
from gateway.outbox.dispatch import Dispatcher
from schemas.identity.action_tokens import ActionToken, BadTokenError, read

__all__ = ["ActionLinks"]

_PATH = "/alerts/act"
_WORDS = {
    "acknowledged": ("Acknowledge the alert", "The alert is acknowledged."),
    "snoozed": (f"Snooze the alert for {SNOOZE_DAYS} days", f"The alert is snoozed for {SNOOZE_DAYS} days."),
    "dismissed": ("Dismiss the alert", "The alert is dismissed."),
}
_FEEDBACK = {
    "": "I'd rather not say",
    "noise": "it was noise",
    "known": "I knew it already",
    "useful": "it was useful",
}
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}
_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Bellbuoy</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{margin:0 auto;max-width:520px;padding:48px 20px;color:#1f1f1f;background:#f1f3f4;
font:16px/1.5 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif}h1{font-size:22px}
button{font:inherit;padding:9px 20px;border:0;border-radius:4px;background:#2f5fa8;color:#fff;cursor:pointer}
label{display:block;margin:4px 0}</style></head><body>
"""


class ActionLinks:
    """
    The endpoint ``/alerts/act``, where the links in mails lead.

    GET changes nothing, because mail scanners open every link: it shows a page with a button, whose POST
    writes the action. A link that is forged or too old gets 400 with the reason.
    """

    def __init__(
        self, secrets: ActionSecrets, bodies: BodyReader, dispatcher: Dispatcher, clock: Callable[[], int]
    ) -> None:
        self._secrets, self._bodies, self._dispatcher, self._clock = secrets, bodies, dispatcher, clock

    def routes(self) -> list[Route]:
        """Return the routes, none without a secret of links."""
        if not self._secrets.links:
            return []
        return [
            Route(_PATH, self.get, methods=["GET"], name=_PATH),
            Route(_PATH, self.post, methods=["POST"], name=_PATH),
        ]

    async def get(self, request: Request) -> Response:
        """Show what the link would do."""
        text = request.query_params.get("token", "")
        try:
            return _page(_question(self._read(text), text))
        except BadTokenError as error:
            return _page(_refusal(error), 400)

    async def post(self, request: Request) -> Response:
        """Do what the link says."""
        async with self._bodies.body_of(request, proven=False) as body:
            fields = parse_qs(body.decode(errors="replace"), max_num_fields=10)
            try:
                token = self._read(fields.get("token", [""])[0])
            except BadTokenError as error:
                return _page(_refusal(error), 400)
            feedback = fields.get("feedback", [""])[0]
            action = alert_action(
                token,
                "mail",
                token.author,
                self._clock(),
                feedback if token.kind == "dismissed" and feedback in _FEEDBACK and feedback else None,
            )
            try:
                await write_actions(self._dispatcher, [action])
            except HttpError as error:
                return _page(f"<h1>Not done</h1><p>{escape(error.message)}</p>", error.status)
        return _page(f"<h1>{_WORDS[token.kind][1]}</h1><p>You can close this page.</p>")

    def _read(self, text: str) -> ActionToken:
        token = read(text, self._secrets.links, self._clock())
        if token.kind not in _WORDS:
            raise BadTokenError("the link is of another release")
        return token


def _question(token: ActionToken, text: str) -> str:
    asked, _ = _WORDS[token.kind]
    choice = ""
    if token.kind == "dismissed":
        options = "".join(
            f'<label><input type="radio" name="feedback" value="{value}"{"" if value else " checked"}> '
            f"{words}</label>"
            for value, words in _FEEDBACK.items()
        )
        choice = f"<p>Was it worth your time?</p>{options}"
    return (
        f"<h1>{asked}?</h1><p>Account {escape(token.account_id)}, in the name of {escape(token.author)}.</p>"
        f'<form method="post" action="act"><input type="hidden" name="token" value="{escape(text)}">{choice}'
        f"<p><button>{asked}</button></p></form>"
    )


def _refusal(error: BadTokenError) -> str:
    return f"<h1>This link can't be used</h1><p>{escape(str(error))}.</p>"


def _page(body: str, status: int = 200) -> Response:
    return HTMLResponse(f"{_HEAD}{body}</body></html>\n", status, _HEADERS)
