"""The computation graph: the only thing between symbols and code."""
