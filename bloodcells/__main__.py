"""`python -m bloodcells` is `bloodcells`."""

from bloodcells.cli import main

main()
