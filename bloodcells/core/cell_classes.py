"""The cell classes, in their one order."""

CLASSES = ("eosinophil", "lymphocyte", "monocyte", "neutrophil")
"""The classes that are told apart. An index into a row of logits is an index into this tuple:
the order stands here alone, and is stored with every checkpoint and every table of predictions."""


RARE = ("basophil",)
"""Classes that the label table may name and that are too few to learn."""
