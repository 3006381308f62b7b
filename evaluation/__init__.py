"""What eval.py shows besides the numbers of one checkpoint: the constant baseline and the pictures."""
