"""What all other rooms use: errors, statuses, checks of a user's input, files, and the set-up of JAX.

Nothing here knows of networks. It imports no other room.
"""
