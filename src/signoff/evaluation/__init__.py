"""Predictions to evidence: metrics with intervals, paired comparison, slices, pictures.

Needs the extra `evaluate` (numpy, pandas, scipy, scikit-learn). Imported by `engine` only, inside the functions that a
worker calls for a test step, so that nothing else ever loads them.
"""
