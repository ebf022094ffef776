"""Asking a state file: one question about a sheet or about all of them, and its answer."""
