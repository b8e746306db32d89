"""Simulated cameras, dispatch and shifts.

Imports nothing from `daemon`: both sides are checked against `config/schemas/*.json`,
so that they cannot share a mistake.
"""
