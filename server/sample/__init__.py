"""The sample repository of the demo: its sheets, its records and their attachments."""
