"""Building a state: from another one by difference, or from scratch in a child process."""
