"""Responses: one at a time, when one is asked for, and what becomes of each that was."""
