"""Secrets of actions that people take in messages, as the gateway needs them, from the channels' settings."""

from __future__ import annotations

from bellbuoy.settings import Settings
from gateway.actions.secrets import ActionSecrets
from sinks.notify.slack.settings import SlackSettings

__all__ = ["action_secrets"]


def action_secrets(settings: Settings) -> ActionSecrets:
    """Return the secrets of links and of Slack apps, and the names of the Slack users that are recipients."""
    notify = settings.notify
    links = [secret for secret in (notify.link_secret, notify.old_link_secret) if secret is not None]
    apps = {name: each for name, each in notify.channels.items() if isinstance(each, SlackSettings)}
    return ActionSecrets(
        links=tuple(secret.get_secret_value() for secret in links),
        slack=tuple(
            dict.fromkeys(
                app.signing_secret.get_secret_value()
                for app in apps.values()
                if app.signing_secret is not None
            )
        ),
        people={
            address: person.rpartition(":")[2]
            for person, addresses in notify.recipients.items()
            for where, address in addresses.items()
            if where == "slack" or where in apps
        },
    )
