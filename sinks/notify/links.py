"""Links of a message: to the console, and to the gateway's page on which a person acts on an alert."""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from schemas.identity.action_tokens import ActionToken, sign
from schemas.records import RiskAlert
from schemas.times import DAY

__all__ = ["LINK_DAYS", "Links"]

LINK_DAYS = 30
"""Days for which a link to act on an alert is good."""


class Links(msgspec.Struct, frozen=True, kw_only=True):
    """
    Addresses that the links of messages begin with.

    ``console`` is the console's, ``gateway`` that under which people's browsers reach the gateway, and
    ``secret`` signs the links there. What is ``None`` gives no links.
    """

    console: str | None = None
    gateway: str | None = None
    secret: str | None = None

    def account(self, alert: RiskAlert) -> str | None:
        """Return the address of the alert on its account's page in the console."""
        if self.console is None or not alert.account_id:
            return None
        ids = (alert.tenant, alert.account_id, alert.alert_id)
        tenant, account, anchor = (quote(one, safe="") for one in ids)
        return f"{self.console.rstrip('/')}/accounts/{tenant}/{account}#alert-{anchor}"

    def act(self, alert: RiskAlert, kind: str, author: str, now: int) -> str | None:
        """
        Return the address of the page that does this to the alert, in the name of *author*.

        ``kind`` is that of an ``AlertAction``; the link is good for 30 days from *now* (UTC milliseconds).
        """
        if self.gateway is None or self.secret is None:
            return None
        token = ActionToken(
            tenant=alert.tenant,
            account_id=alert.account_id,
            alert_id=alert.alert_id,
            kind=kind,
            author=author,
            expires_at=now + LINK_DAYS * DAY,
        )
        return f"{self.gateway.rstrip('/')}/alerts/act?token={sign(token, self.secret)}"
