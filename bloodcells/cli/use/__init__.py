"""`bloodcells use`: choose a data set, with the parameters and the lock file that belong to it."""
