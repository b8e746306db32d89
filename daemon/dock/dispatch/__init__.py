"""Dispatch documents taken in, and the tags of clips that follow from them.

May import store, context and core; knows nothing of MQTT or of how clips are read.
"""
