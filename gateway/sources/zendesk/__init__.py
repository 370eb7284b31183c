"""Zendesk's webhooks as support events."""
