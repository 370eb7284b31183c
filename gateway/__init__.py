"""The front door: HTTP tracking API and webhooks, onto topics."""
