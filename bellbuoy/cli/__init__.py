"""The command line: a module each command, which parses its arguments, calls its part and prints."""
