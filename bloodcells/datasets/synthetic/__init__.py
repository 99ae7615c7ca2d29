"""Synthetic data sets: blood smears generated from a seed."""
