"""Webhook channel: notifications as JSON, signed by the Standard Webhooks specification."""
