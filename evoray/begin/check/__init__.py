"""``evoray check``: what a run would do, and everything that keeps it from being one, before anything runs."""
