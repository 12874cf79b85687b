"""``evoray init``: from what a user has to a commented configuration."""
