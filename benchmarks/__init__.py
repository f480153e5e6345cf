"""Benchmarks: one command each; every report names the machine that it came from."""
