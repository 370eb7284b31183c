"""PagerDuty channel: notifications as events, which open and resolve incidents."""
