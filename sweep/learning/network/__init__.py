"""Many networks in one array program: activations and losses, the executors of formulas, the stacked network."""
