"""Which account an event belongs to: record keys, partitions, and aliases of users and e-mail domains."""
