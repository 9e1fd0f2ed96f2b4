"""Phase planes: coordinates, rates over a plane, nullclines, fixed points and separatrices.

Questions and figures ask here; it imports no question.
"""
