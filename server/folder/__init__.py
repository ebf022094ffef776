"""A folder on the user's own machine, served without settings: its repository, its files, its changes."""
