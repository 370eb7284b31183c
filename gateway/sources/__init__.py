"""Sources of events: one package a vendor or API, the endpoint that all webhooks share, and the registry."""
