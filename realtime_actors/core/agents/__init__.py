"""Agents: whose turn it is, how one hands over to another, and how a conversation moves."""
