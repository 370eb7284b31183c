"""Everything on one machine: embedded servers, and roles as child processes."""
