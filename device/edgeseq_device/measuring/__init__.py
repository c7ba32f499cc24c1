"""The benchmark on the board: the agent, its workers and every kind of measurement."""
