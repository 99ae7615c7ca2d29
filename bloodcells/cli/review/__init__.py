"""`bloodcells review`: compare two revisions for a reviewer."""
