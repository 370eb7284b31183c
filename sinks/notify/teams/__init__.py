"""Teams channel: notifications as Adaptive Cards, posted to a workflow of Microsoft Teams."""
