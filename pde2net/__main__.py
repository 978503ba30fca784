"""`python -m pde2net` is the command line."""

from pde2net.cli.main import run

run()
