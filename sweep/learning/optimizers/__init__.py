"""What an optimizer is, and all of them."""
