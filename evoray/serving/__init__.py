"""A run's network behind HTTP, but for Ray: what it answers, what it refuses, and its page."""
