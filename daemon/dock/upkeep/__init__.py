"""What a dock does for the clips it holds: custody copies, the scrub, the replica, eviction.

Threads of their own, slower than intake; what they decide they ask of the loop. May import context and what lies below.
"""
