"""The review of a change: two revisions compared, and a page that says what a reviewer must know.

Unlike the rest of the package it knows git, DVC and the paths of a repository's results; so does `bloodcells.plots`.
"""
