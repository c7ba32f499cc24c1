"""The way to a board: where it is, one connection, files that are sent once."""
