"""Simulated cameras, dispatch and shifts.

Imports nothing from `daemon`, so that both cannot have the same mistake: each is checked against
`config/schemas/*.json`.
"""
