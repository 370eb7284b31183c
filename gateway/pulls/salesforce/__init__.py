"""Salesforce, asked by SOQL: accounts, contacts, contracts, cases and tasks."""
