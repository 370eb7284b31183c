"""Kafka sink: health, KPIs and alerts on topics of another cluster, as JSON or Avro."""
