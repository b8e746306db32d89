"""The custody log: entries, Merkle tree, checkpoints, proofs, verification, bundles.

One implementation for the dock's log and the policy service's. May import seal, core, model; never a service.
"""
