"""The conversation: its items and their order, what is published of it, and how it is edited."""
