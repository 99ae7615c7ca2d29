"""Run the command line: `python -m bloodcells` is the same as `bloodcells`."""

from bloodcells.cli.main import main

main()
