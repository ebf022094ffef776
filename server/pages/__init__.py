"""Pages for people: the status page, its plot and its templates."""
