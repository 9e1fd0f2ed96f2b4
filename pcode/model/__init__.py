"""The model: networks, phases, data, activations, the table of variables, and the equations.

It says what is simulated, not how. It imports only `base`.
"""
