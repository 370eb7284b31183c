"""Other engines as processes: their environments, jobs in Python and Java, and the check of their totals."""
