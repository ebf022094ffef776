"""Reading a commit: which files are records, what they say, and what is wrong with them."""
