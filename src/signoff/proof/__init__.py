"""Proof: manifests of files, and what makes a decision verifiable later.

Knows `domain` only; service, engine, adapters and the model server may import it.
"""
