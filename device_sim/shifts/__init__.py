"""Whole shifts: who is on duty, what happens, and how it is played."""
