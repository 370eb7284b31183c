"""The poller: the role that asks vendors for what changed, and writes it to the input topics."""
