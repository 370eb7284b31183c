"""What an operator does to a deployment: check topics, run roles, change models, replay, repair."""
