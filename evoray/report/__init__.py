"""What a finished run looks like: tables on the terminal, and one page that stands alone."""
