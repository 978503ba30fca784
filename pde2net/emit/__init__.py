"""From the graph and its certificate to readable source."""
