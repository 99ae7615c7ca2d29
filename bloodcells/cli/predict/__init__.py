"""`bloodcells predict`: classify the white blood cell in each image, or abstain."""
