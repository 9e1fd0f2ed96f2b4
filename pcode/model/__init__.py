"""The model: networks, what is shown to them, the table of variables, and the equations.

What is here says what is simulated, not how. It imports `base` alone.
"""
