"""The flow: journal, Faust app, table store, delivery and dead letters."""
