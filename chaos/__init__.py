"""Break the real stack on a seeded schedule, and compare what it knows with a run that nothing disturbed."""
