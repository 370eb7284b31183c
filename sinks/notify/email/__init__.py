"""E-mail channel: notifications by SMTP, as text and HTML, in one thread an alert."""
