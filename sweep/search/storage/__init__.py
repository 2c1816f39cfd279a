"""Where Optuna keeps a study: a journal file, or a database."""
