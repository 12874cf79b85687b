"""What is looked at in shards: are they whole, what do they hold, and are two sets two."""
