"""Data that nobody has to ingest: inside a package, or made up."""
