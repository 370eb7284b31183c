"""Generated pages of the documentation; `python -m bellbuoy.docs` writes them."""
