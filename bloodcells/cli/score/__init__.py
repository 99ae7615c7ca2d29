"""`bloodcells score`: test a trained model on another data set, through the rules of `bloodcells predict`."""
