"""The Python client over REST; imports no server code."""
