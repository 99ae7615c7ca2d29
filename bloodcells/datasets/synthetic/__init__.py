"""The synthetic data set `rendered`: blood smears generated from a seed."""
