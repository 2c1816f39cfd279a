"""A study in words: its file, checked as a whole, and the studies that there are."""
