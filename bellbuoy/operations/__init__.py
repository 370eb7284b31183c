"""What an operator does to a deployment: topics, checks, roles, rebuild, replay, model changes."""
