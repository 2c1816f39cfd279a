"""The answer, the verification and the bench as a terminal shows them."""
