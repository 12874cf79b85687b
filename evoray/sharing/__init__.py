"""One network of a run for others: formats, the model card, and a hub."""
