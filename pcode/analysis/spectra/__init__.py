"""Jacobians of nodes and weights, their eigenvalues and modes.

Questions ask here; it imports no question.
"""
