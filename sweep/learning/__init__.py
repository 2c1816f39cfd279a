"""The learning room: schedules, optimizers, the stacked network, its trainer and the data. No Optuna here."""
