"""``python -m edge.cli`` is ``stripsight``."""

from edge.cli import main

main()
