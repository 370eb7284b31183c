"""Alert rules and the alert episodes they open, update and resolve."""
