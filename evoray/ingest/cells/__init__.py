"""What single cells of lists and tables mean."""
