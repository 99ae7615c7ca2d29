"""Studies: run by hand, their figures committed."""
