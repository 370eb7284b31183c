"""Run of a simulation against a deployment: its start, its clock, its pace, and its wait for the journal."""
