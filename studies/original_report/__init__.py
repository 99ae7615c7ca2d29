"""What the faults of the original report's protocol are worth: `python -m studies.original_report MODEL`."""
