"""Drawings of the package, made from its source."""
