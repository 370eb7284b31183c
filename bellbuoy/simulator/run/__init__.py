"""The run of a simulation: its plan, its clock, its pace, and how far the journal has followed."""
