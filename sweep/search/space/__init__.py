"""What may be tried: entries of a space, its scales and combinations, its defaults."""
