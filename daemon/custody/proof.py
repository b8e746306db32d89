"""Checking proofs without the log (RFC 9162 sections 2.1.3.2 and 2.1.4.2, valid for RFC 6962 trees)."""

from __future__ import annotations

from daemon.custody.tree import EMPTY_ROOT, node_hash
from daemon.model.errors import TamperedError


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: list[bytes]) -> bytes:
    """The root that follows from `proof` for a tree of `size` leaves with `leaf` (a leaf hash, 32 bytes) at `index`.

    Raises TamperedError when the proof is too short or too long for this tree.
    """
    if not 0 <= index < size:
        raise TamperedError(f"entry {index} cannot be in a log of {size} entries")
    fn, sn, value = index, size - 1, leaf
    for sibling in proof:
        if sn == 0:
            raise TamperedError("the inclusion proof is too long")
        if fn & 1 or fn == sn:
            value = node_hash(sibling, value)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            value = node_hash(value, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise TamperedError("the inclusion proof is too short")
    return value


def check_inclusion(leaf: bytes, index: int, size: int, proof: list[bytes], root: bytes) -> None:
    """Raises TamperedError unless the log with this root has `leaf` (a leaf hash) at `index`."""
    if root_from_inclusion(leaf, index, size, proof) != root:
        raise TamperedError(f"custody entry {index} is not the one that the checkpoint covers")


def check_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: list[bytes]) -> None:
    """Raises TamperedError unless the tree of `new` leaves begins with the tree of `old` leaves."""
    same = old_root == (new_root if old == new else EMPTY_ROOT)
    if not 0 <= old <= new or (old in {0, new} and (proof or not same)):
        raise TamperedError(_fork(old, new))
    if old in {0, new}:
        return
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        raise TamperedError("the consistency proof is too short")
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    first = second = path[0]
    for value in path[1:]:
        if sn == 0:
            raise TamperedError("the consistency proof is too long")
        if fn & 1 or fn == sn:
            first, second = node_hash(value, first), node_hash(value, second)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            second = node_hash(second, value)
        fn, sn = fn >> 1, sn >> 1
    if sn or first != old_root or second != new_root:
        raise TamperedError(_fork(old, new))


def _fork(old: int, new: int) -> str:
    return f"the log of {new} entries does not begin with the one of {old}: it was rewritten, truncated or forked"
