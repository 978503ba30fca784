"""Counterexamples: inputs on small grids, run through the graph in float64 before they count."""
