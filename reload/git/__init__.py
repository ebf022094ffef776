"""Git itself: how it is run and spoken to, what it prints, and what it leaves behind."""
