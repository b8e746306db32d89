"""What crosses a boundary: statements, notices, configuration, topics, errors.

Every other room may import this one; it imports nothing of ours.
"""
