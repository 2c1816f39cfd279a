"""Who decides: samplers, and pruners."""
