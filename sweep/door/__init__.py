"""The door: commands, progress, messages, and the same from Python. It puts the rooms together; nothing imports it."""
