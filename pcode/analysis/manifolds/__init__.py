"""The critical manifold over a weight, followed by continuation.

Figures ask here; it imports no question.
"""
