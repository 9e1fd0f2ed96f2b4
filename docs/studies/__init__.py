"""Studies: what predictive coding networks do, each a script that writes its figure and its numbers."""
