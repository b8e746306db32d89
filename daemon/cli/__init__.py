"""The command line: one file per command group; the only place that prints or sets an exit code.

May import every room.
"""
