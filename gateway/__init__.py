"""The gateway: an HTTP server that turns tracking calls, webhooks and typed JSON into records on Kafka."""
