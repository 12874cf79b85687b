"""Forms of a study's tables: LaTeX, CSV, and a page with every seed."""
