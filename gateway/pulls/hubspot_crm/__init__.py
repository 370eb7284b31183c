"""
HubSpot's CRM, asked by search: companies, contacts, tickets, e-mails, meetings and calls.

Webhooks (``gateway.sources.hubspot``) tell of companies sooner; this reads what they don't have.
"""
