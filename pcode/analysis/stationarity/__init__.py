"""Nodes with noise: their moments along a phase, and what theory says of them.

The question `stationary` asks here; it imports no question.
"""
