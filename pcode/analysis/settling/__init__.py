"""How nodes settle and weights drift along a phase: distances, rates, rings, and their words.

The question `convergence` asks here; it imports no question.
"""
