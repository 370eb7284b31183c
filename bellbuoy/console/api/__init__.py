"""The JSON API: the same accounts, alerts and acts as the pages, for programs with a token."""
