"""The demo: a sample repository with its records, a local remote, and a clone to edit in."""
