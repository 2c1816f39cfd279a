"""The official libraries: their words, their defaults, their recorded trainings, and lines of code for them."""
