"""The command line: one module a command, parsing arguments and printing answers."""
