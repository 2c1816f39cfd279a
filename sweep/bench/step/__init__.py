"""What a training step costs: workloads, the kernel, and its matrix products alone."""
