"""Importing a laboratory's folder: what is in it, how its labels are read, and the record that says so."""
