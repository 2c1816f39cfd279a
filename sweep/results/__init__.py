"""The results room: what a reader opens. It reads tables; it never trains and never asks Optuna for a proposal."""
