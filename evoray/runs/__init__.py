"""Looking back: a run as an object, runs as a table, runs side by side."""
