"""Stripe's webhooks as billing events."""
