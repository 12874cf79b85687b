"""What a terminal, or a log in its place, is shown."""
