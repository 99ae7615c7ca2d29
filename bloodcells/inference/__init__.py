"""Predictions of trained networks: probabilities, temperature scaling, selective prediction, and the predictor file."""
