"""The intake of the journal: admission of events, and the roll-up of usage."""
