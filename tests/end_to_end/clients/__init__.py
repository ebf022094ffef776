"""Clients that others' generators make from the description of the demo."""
