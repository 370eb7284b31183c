"""Answers as text and tables for people: explanations, histories, portfolios, models."""
