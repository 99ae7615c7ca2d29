"""What predictions are worth: metrics, intervals, tests, calibration, label issues, Grad-CAM and leakage checks."""
