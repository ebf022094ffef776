"""Reports to people who did not ask: a refused commit, lasting staleness, a recovery."""
