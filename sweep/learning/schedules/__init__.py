"""What a learning-rate schedule is, and all of them."""
