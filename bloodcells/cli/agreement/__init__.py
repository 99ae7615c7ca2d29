"""`bloodcells agreement`: compare two readers' corrections."""
