"""One small file per outside system, and a `memory.py` double per port. Only `bootstrap` imports them."""
