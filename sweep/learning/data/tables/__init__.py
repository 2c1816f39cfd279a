"""Tables as people have them: read from a file, understood column by column, and turned into numbers."""
