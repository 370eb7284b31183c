"""Keys of senders: which tenant a request comes from, what its sender may send, and how much of it."""
