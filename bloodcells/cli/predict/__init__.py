"""`bloodcells predict`: classify images, or abstain."""
