"""The Merkle tree against RFC 6962: published vectors, the RFC's own definitions, and every kind of forgery."""

from __future__ import annotations

import functools

import pytest
from hypothesis import assume, given
from hypothesis import strategies as hs

from daemon.custody import tree
from daemon.custody.proof import check_consistency, check_inclusion, root_from_inclusion
from daemon.custody.verify import Root
from daemon.model.errors import TamperedError
from tests.vectors import rfc6962

MOST = 70


class Tree:
    """A log of leaves over the product's functions, its hashes kept in a dict."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.nodes: dict[tuple[int, int], bytes] = {}
        for size, leaf in enumerate(leaves):
            for node, value in tree.append(size, tree.leaf_hash(leaf), self.read):
                assert node not in self.nodes, "a hash once kept never changes"
                self.nodes[node] = value

    def read(self, level: int, index: int) -> bytes:
        return self.nodes[level, index]

    def root(self, size: int) -> bytes:
        return tree.root(size, self.read)

    def inclusion(self, index: int, size: int) -> list[bytes]:
        return tree.inclusion_proof(index, size, self.read)

    def consistency(self, old: int, new: int) -> list[bytes]:
        return tree.consistency_proof(old, new, self.read)


def leaf(number: int) -> bytes:
    return b"entry %d" % number


LEAVES = [leaf(number) for number in range(MOST)]


@functools.cache
def grown() -> Tree:
    return Tree(LEAVES)


@functools.cache
def naive_root(size: int) -> bytes:
    return rfc6962.mth(LEAVES[:size])


def test_published_roots() -> None:
    published = Tree(rfc6962.LEAVES)
    for size, root in rfc6962.ROOTS.items():
        assert published.root(size).hex() == root
        assert rfc6962.mth(rfc6962.LEAVES[:size]).hex() == root


def test_published_proofs() -> None:
    published = Tree(rfc6962.LEAVES)
    for (index, size), path in rfc6962.INCLUSION.items():
        assert [node.hex() for node in published.inclusion(index, size)] == path
    for (old, new), path in rfc6962.CONSISTENCY.items():
        assert [node.hex() for node in published.consistency(old, new)] == path


def test_roots_of_every_size_however_computed() -> None:
    streamed = Root()
    for size in range(MOST + 1):
        assert grown().root(size) == naive_root(size) == streamed.value
        assert streamed.size == size
        if size < MOST:
            streamed.add(tree.leaf_hash(leaf(size)))


def test_every_inclusion_proof() -> None:
    for size in range(1, MOST + 1):
        for index in range(size):
            proof = grown().inclusion(index, size)
            assert proof == rfc6962.path(index, LEAVES[:size])
            check_inclusion(tree.leaf_hash(leaf(index)), index, size, proof, naive_root(size))


def test_every_consistency_proof() -> None:
    for new in range(MOST + 1):
        for old in range(new + 1):
            proof = grown().consistency(old, new)
            assert proof == (rfc6962.proof(old, LEAVES[:new]) if old else [])
            check_consistency(old, new, naive_root(old), naive_root(new), proof)


@pytest.mark.parametrize(("index", "size"), [(-1, 1), (0, 0), (1, 1), (5, 3)])
def test_no_proof_of_a_leaf_outside(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="not in a tree"):
        grown().inclusion(index, size)
    with pytest.raises(TamperedError):
        root_from_inclusion(tree.leaf_hash(b""), index, size, [])


@pytest.mark.parametrize(("old", "new"), [(-1, 1), (2, 1)])
def test_no_proof_backwards(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="beginning"):
        grown().consistency(old, new)
    with pytest.raises(TamperedError):
        check_consistency(old, new, naive_root(1), naive_root(1), [])


sizes = hs.integers(1, MOST)
positions = sizes.flatmap(lambda size: hs.tuples(hs.integers(0, size - 1), hs.just(size)))
growths = sizes.flatmap(lambda new: hs.tuples(hs.integers(1, new), hs.just(new)))
hashes = hs.binary(min_size=32, max_size=32)
flips = hs.tuples(hs.integers(0, 31), hs.integers(0, 7))


def flipped(value: bytes, flip: tuple[int, int]) -> bytes:
    return value[: flip[0]] + bytes([value[flip[0]] ^ 1 << flip[1]]) + value[flip[0] + 1 :]


def changed_proof(proof: list[bytes], data: hs.DataObject) -> list[bytes]:
    """The proof, with one node changed, missing, repeated, added or moved."""
    at = data.draw(hs.integers(0, max(0, len(proof) - 1)), label="where")
    kind = data.draw(hs.sampled_from(["flip", "drop", "repeat", "append", "prepend", "reverse"]), label="how")
    match kind if proof else "append":
        case "flip":
            changed = [*proof[:at], flipped(proof[at], data.draw(flips)), *proof[at + 1 :]]
        case "drop":
            changed = proof[:at] + proof[at + 1 :]
        case "repeat":
            changed = proof[: at + 1] + proof[at:]
        case "append":
            changed = [*proof, data.draw(hashes)]
        case "prepend":
            changed = [data.draw(hashes), *proof]
        case _:
            changed = proof[::-1]
    assume(changed != proof)
    return changed


@given(positions, hs.data())
def test_a_forged_inclusion_proof_fails(position: tuple[int, int], data: hs.DataObject) -> None:
    index, size = position
    proof, root = grown().inclusion(index, size), naive_root(size)
    entry = tree.leaf_hash(leaf(index))
    with pytest.raises(TamperedError):
        check_inclusion(entry, index, size, changed_proof(proof, data), root)
    with pytest.raises(TamperedError):
        check_inclusion(flipped(entry, data.draw(flips)), index, size, proof, root)
    with pytest.raises(TamperedError):
        check_inclusion(entry, index, size, proof, flipped(root, data.draw(flips)))


@given(positions, hs.integers(0, MOST))
def test_an_entry_stands_in_its_own_place_only(position: tuple[int, int], elsewhere: int) -> None:
    index, size = position
    assume(elsewhere != index)
    with pytest.raises(TamperedError):
        check_inclusion(tree.leaf_hash(leaf(index)), elsewhere, size, grown().inclusion(index, size), naive_root(size))


@given(positions, sizes)
def test_a_proof_of_another_shape_fails(position: tuple[int, int], other: int) -> None:
    """The same hashes, claimed for a tree in which that entry's path is longer or shorter."""
    index, size = position
    assume(index < other)
    assume(len(rfc6962.path(index, LEAVES[:other])) != len(rfc6962.path(index, LEAVES[:size])))
    with pytest.raises(TamperedError):
        check_inclusion(tree.leaf_hash(leaf(index)), index, other, grown().inclusion(index, size), naive_root(size))


@given(growths, sizes)
def test_a_consistency_proof_of_another_shape_fails(growth: tuple[int, int], other: int) -> None:
    old, new = growth
    assume(old < min(new, other))
    assume(len(rfc6962.proof(old, LEAVES[:other])) != len(rfc6962.proof(old, LEAVES[:new])))
    with pytest.raises(TamperedError):
        check_consistency(old, other, naive_root(old), naive_root(new), grown().consistency(old, new))


@given(growths, hs.data())
def test_a_forged_consistency_proof_fails(growth: tuple[int, int], data: hs.DataObject) -> None:
    old, new = growth
    proof, old_root, new_root = grown().consistency(old, new), naive_root(old), naive_root(new)
    with pytest.raises(TamperedError):
        check_consistency(old, new, old_root, new_root, changed_proof(proof, data))
    with pytest.raises(TamperedError):
        check_consistency(old, new, flipped(old_root, data.draw(flips)), new_root, proof)
    with pytest.raises(TamperedError):
        check_consistency(old, new, old_root, flipped(new_root, data.draw(flips)), proof)


@given(hs.integers(1, MOST), hs.integers(1, MOST), hs.data())
def test_a_rewritten_log_is_no_extension(old: int, new: int, data: hs.DataObject) -> None:
    """Another log, changed somewhere in the part that was published, offers its own best proof."""
    assume(old <= new)
    at = data.draw(hs.integers(0, old - 1))
    rewritten = Tree([*LEAVES[:at], b"rewritten", *LEAVES[at + 1 : new]])
    with pytest.raises(TamperedError):
        check_consistency(old, new, naive_root(old), rewritten.root(new), rewritten.consistency(old, new))


def test_an_empty_log_has_the_empty_root() -> None:
    check_consistency(0, 5, tree.EMPTY_ROOT, naive_root(5), [])
    with pytest.raises(TamperedError):
        check_consistency(0, 5, naive_root(1), naive_root(5), [])
    with pytest.raises(TamperedError):
        check_consistency(0, 5, tree.EMPTY_ROOT, naive_root(5), [naive_root(1)])
