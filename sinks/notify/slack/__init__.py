"""Slack channel: notifications as messages of Block Kit, changed in place, with buttons to act."""
