"""How fast it is, beside the peers: workloads, honest timing, and what ``python -m sweep bench`` measures."""
