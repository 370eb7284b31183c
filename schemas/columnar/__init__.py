"""Usage events in columns: compiled decoders and encoders of many records at once."""
