"""Use-cases: one function, one transaction, at least one audit event. Reads are in `views`.

Called by `api` and `web`. Every function takes the actor and asks `authorize` before anything else.
"""
