"""Commands of the command line, a module each: a command parses its arguments, calls its part and prints."""
