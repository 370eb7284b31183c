"""Access to the console: who signs in and how, what they may do, and the record of it."""
