"""The read API: from a URL to a question, from rows to JSON, and the description in OpenAPI."""
