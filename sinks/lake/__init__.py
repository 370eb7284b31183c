"""Lake sink: Parquet files by day, written exactly once by offsets, settings."""
