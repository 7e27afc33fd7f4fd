"""Those who are measured. Each module has a function for each job that it can do.

A job connects, does its work, disconnects, and gives a dict of numbers.
"""
