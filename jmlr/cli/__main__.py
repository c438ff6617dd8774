"""`python -m jmlr.cli`."""

from jmlr.cli import main

main()
