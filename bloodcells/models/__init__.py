"""Networks: architectures, weights, normalization, checkpoints and their provenance."""
