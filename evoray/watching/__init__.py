"""How far a run is: kept beside it while it goes on, and shown on a terminal, as a page and in a notebook."""
