"""The viewer's side: asking for a clip, and opening one that was released.

May import custody, vault, link, seal, core, model; never dock, policy or board.
"""
