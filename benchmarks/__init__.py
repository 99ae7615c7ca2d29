"""Measurements of the project's own speed, each a ratio of two things timed in one run."""
