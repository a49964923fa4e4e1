"""Telling people and machines: mail, signed webhooks, chat services, and a double."""
