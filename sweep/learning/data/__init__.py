"""Samples: the data sets by name or from a file, and their division into parts."""
