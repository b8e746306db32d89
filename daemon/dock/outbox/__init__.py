"""What this dock publishes: notices, its status, its bays, its custody log.

Derived from the store: nothing here is a queue of its own. May import locks, context and what lies below.
"""
