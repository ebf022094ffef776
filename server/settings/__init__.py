"""The settings: environment variables, how they are checked, and secrets read from files."""
