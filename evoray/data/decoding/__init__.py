"""From a file's bytes to a picture of 8 bits a value: which formats, within which bounds, by which rules."""
