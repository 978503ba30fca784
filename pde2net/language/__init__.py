"""What a user writes: SymPy expressions and typed choices."""
