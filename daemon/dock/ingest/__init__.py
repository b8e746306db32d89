"""One docking: its clips found settled, sealed, committed, receipted, erased.

A thread a bay works here; whatever needs the store or the trust it asks of the loop. May import camera and what lies
below; never inbox, outbox or upkeep.
"""
