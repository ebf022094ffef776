"""The webhook: direct calls and deliveries of forges, from a request body to a reload."""
