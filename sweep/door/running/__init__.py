"""A run of a study from its start to its answer."""
