"""Apprise channel: notifications as plain text to the many services that Apprise knows."""
