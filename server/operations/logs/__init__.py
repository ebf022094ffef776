"""Logs: one event, one line. Secrets are removed, hostile text is escaped, writing never blocks the loop."""
