"""Drives runs to their end: the only importer of procrastinate. Jobs, the advance loop, the minute tick, rescue."""
