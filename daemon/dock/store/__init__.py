"""The dock's database: its tables and the questions asked of them. No decisions.

May import database, core, model; nothing else of the dock. Used on the loop's thread only.
"""
