"""The connection of a conversation: how it moves to another one, and what it brings along."""
