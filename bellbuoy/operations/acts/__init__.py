"""Acts of people: on accounts, alerts, scores and storms, each a record in Kafka."""
