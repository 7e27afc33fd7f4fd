"""Calls of tools: read, approved, run, and answered once, by us or by the server."""
