"""Download of a published data set: HTTP, archives, Kaggle, and the order in which sources are tried."""
