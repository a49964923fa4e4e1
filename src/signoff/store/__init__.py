"""SQL and transactions: tables, queries, migrations and the embedded Postgres. The only importer of SQLAlchemy.

Imported by `engine`, `service` and `bootstrap`; imports `domain` only.
"""
