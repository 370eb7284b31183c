"""The fold of journal batches into the account states of one partition."""
