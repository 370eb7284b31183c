"""The model file: its format, its reader, and every fault in it with line, column and fix."""
