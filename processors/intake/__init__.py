"""What may enter the journal, and usage rolled up on its way there."""
