"""The tables of a run folder: written so that they are whole whenever they are read."""
