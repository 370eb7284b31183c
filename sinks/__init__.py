"""Sinks: a package for each destination behind one port, and channels that notify people behind another."""
