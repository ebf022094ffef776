"""The tables of a state file: what each one holds, and how it is written."""
