"""A vault's copy in object storage: the store, the keys of its objects, a clip's small files in one object.

May import the rest of vault and model; nothing of a dock.
"""
