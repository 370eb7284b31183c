"""Commands about customers: why a score is what it is, and what the team does and notes about an account."""
