"""What the commands do, and what they show on a terminal."""
