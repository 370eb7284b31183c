"""eWebinar, asked for registrants: registrations for webinars and attendance."""
