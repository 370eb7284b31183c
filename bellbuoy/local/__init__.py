"""Everything on one machine: embedded servers and the four roles as child processes."""
