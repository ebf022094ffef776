"""Questions to a state file: filters, orders, facets and search, as SQL, and the reader that asks them."""
