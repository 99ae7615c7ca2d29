"""Data sets: label tables, folder layouts, fingerprints and annotations."""
