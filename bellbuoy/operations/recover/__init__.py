"""Recovery of topics that are not the logs any more that the positions and states came from."""
