"""The equations of a phase as one system to integrate, and its linear algebra.

Reductions, the structured solve, nodes at rest and their stability. It imports `model` and what is below.
"""
