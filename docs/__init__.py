"""The pages that lead through the project, and the module that keeps the README's figures those of the tables."""
