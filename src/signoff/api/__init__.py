"""REST under /api/v1: authenticate, parse, call one service function, render. No rule lives here."""
