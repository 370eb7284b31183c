"""Notification channels: they deliver alerts to people, each module one channel behind one port."""
