"""What benchmarks work on: events of many accounts, a steady stream of them, and states that they lead to."""
