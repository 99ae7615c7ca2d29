"""Cross-validation splits: folds, groups, and resampling of the training part."""
