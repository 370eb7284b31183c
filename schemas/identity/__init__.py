"""Who an event is about: record keys, partitions, aliases of users and e-mail domains."""
