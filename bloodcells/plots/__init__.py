"""The charts of `dvc plots`: the page that shows them without a network, and the same charts as files.

Like the review, this part of the package knows DVC and where a repository keeps what it needs.
"""
