"""The equations of a phase as one system to integrate, and its linear algebra.

Exact reductions, the structured solve, nodes at rest and their stability. It imports `model` and rooms below.
"""
