"""Guardrails: when they judge, what is held back until they have, and what a verdict does."""
