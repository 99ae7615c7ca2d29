"""`python -m bloodcells` is `bloodcells`."""

from bloodcells.cli.main import main

main()
