"""What the tables say: verdicts, choice, tuning curves, importance, fragility."""
