"""What is provable of a network: bounds, theorems, witnesses, certificate."""
