"""The answer as a page and as the dashboard's note."""
