"""The Tornado application: the records of a git branch as a live, searchable HTTP API."""

__version__ = "0.1.0"
