"""Simulated cameras: what they record, what they hold, and what they do in a bay."""
