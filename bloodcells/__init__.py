"""What the stages are made of: images, labels, folds, networks, scores and figures.

Nothing in here knows of DVC or of a path in this repository.
"""
