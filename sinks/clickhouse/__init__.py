"""ClickHouse sink: health, KPIs and alerts in tables that replace what is written twice."""
