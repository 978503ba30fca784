"""Programs: what a backend prints, made from the graph by passes (docs/program.md)."""
