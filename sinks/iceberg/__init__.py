"""Iceberg sink: health, KPIs and alerts in Iceberg tables, each record exactly once."""
