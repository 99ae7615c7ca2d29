"""Training: the loop, its configuration, augmentation and resuming."""
