"""`bloodcells relabel`: an offline page in which a reader corrects labels."""
