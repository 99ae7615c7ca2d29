"""`bloodcells plots`: the charts of `dvc plots` without a network, and as files."""
