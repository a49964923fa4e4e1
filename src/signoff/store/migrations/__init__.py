"""Alembic's scripts; run by `store.migrate`, never by hand."""
