"""The policy service: it decides who may view which clip, for what purpose, and says why.

May import model, core, seal, vault, link, database, custody and runtime; never cli, dock, review or board.
Inside, imports run one way: service, then opening and cases, then context and mqtt, then rules and store, then metrics.
"""
