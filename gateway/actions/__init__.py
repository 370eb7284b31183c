"""Actions on alerts that people take in messages: by a signed link, and by Slack's buttons."""
