"""Output on a terminal: answers, errors, progress and the log of a command."""
