"""Operating a pipeline from outside: feeding its sources, waiting until it has caught up, its dead letters."""
