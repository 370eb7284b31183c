"""Commands about alerts: what is open, the rules that open them, and who is told."""
