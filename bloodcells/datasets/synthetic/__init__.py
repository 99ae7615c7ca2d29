"""The synthetic data set: blood smears drawn from a seed."""
