"""What a caller in Python gives in place of files: tables, and keyword arguments."""
