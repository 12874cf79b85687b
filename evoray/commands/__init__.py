"""The command line's sub-commands; ``cli.py`` puts them together."""
