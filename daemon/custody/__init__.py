"""The custody log: entries, Merkle tree, checkpoints, proofs, verification, bundles.

The dock and the policy service use the same code. May import what lies below it (database, vault, seal, core, model),
never a service.
"""
