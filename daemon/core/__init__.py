"""Pure decisions: the lifecycle, the lock, activation, what to do with a clip found on a camera.

Clock, randomness and files are passed in. May import `daemon.model`, nothing else of ours.
"""
