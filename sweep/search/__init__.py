"""The search room: what to train is decided here, and who trains it. Optuna lives here and nowhere below."""
