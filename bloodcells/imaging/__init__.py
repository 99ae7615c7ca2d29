"""Images: opening them, finding the white cell, cropping, and detecting near-duplicates."""
