"""The tables of a state file: what each holds, and how it is written and read."""
