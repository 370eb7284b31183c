"""Text and tables for people: explanations, histories, portfolios and models on a terminal."""
