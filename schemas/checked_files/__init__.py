"""Checked files: YAML that people write, with the line of every part and every fault."""
