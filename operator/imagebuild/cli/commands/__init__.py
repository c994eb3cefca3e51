"""One module per command, each with `command`; the table in group.py says what there is."""
