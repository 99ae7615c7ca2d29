"""Pages of Markdown or HTML: sentences are in `templates/`, numbers come from tables."""
