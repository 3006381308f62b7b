"""The training engine behind train.py: stages, loop, saved states, validation, and when to stop."""
