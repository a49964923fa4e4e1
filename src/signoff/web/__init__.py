"""Pages and forms over the same service functions as the API. No rule lives here."""
