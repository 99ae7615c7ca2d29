"""What the original report's protocol is worth."""
