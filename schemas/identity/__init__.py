"""The identity of accounts: record keys, partitions, and aliases of users and e-mail domains."""
