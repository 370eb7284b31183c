"""The pages: what each shows, from the live pictures and a reader, and the acts that they send."""
