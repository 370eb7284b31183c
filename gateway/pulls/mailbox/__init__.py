"""Mailboxes of the team, asked by IMAP for headers alone: who wrote to whom, and when; never what."""
