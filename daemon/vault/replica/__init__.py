"""A vault's copy in object storage: the store itself, the names of what lies there, a clip's small files as one object.

May import the rest of vault and model; nothing of a dock.
"""
