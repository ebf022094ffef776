"""`livesheets doctor`: it checks settings, repository, remote and folders, and changes nothing."""
