"""Inbox channel: notifications as files in a local directory, and one page that shows them."""
