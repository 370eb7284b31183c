"""Commands about the health model: its file, the models of a running deployment, and how right they are."""
