"""Request and response bodies of the REST API, shared by `api` (which renders them) and `sdk` (which reads them)."""
