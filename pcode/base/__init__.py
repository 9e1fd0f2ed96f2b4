"""Small change: errors, statuses, checks of what a user gives, files, and JAX as it is set up.

It knows nothing of networks, and imports no other room.
"""
