"""Segment's HTTP tracking API as usage events and account profiles."""
