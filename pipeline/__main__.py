"""`python -m pipeline`: the command line, for child processes that must not depend on a PATH."""

from pipeline.cli.main import run

run()
