"""The tree of RFC 6962 against the vectors its implementations share, and against itself at every size."""

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from exchange.proof.ledger import (
    EMPTY_ROOT,
    VerifierKey,
    append,
    audit_path,
    audit_paths,
    check_consistency,
    check_inclusion,
    check_path,
    checkpoint_text,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    merkle_root,
    node_hash,
    note_text,
    open_note,
    read_checkpoint,
    read_verifier_key,
    recipient_entry,
    root_of,
    sign_note,
    verifier_key,
)

VECTORS = Path(__file__).parents[1] / "vectors" / "ledger"
LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    bytes.fromhex(text)
    for text in (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]
PATHS = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
CONSISTENCY = {
    (1, 1): [],
    (1, 8): PATHS[0, 8],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
SUMDB_NOTE = """If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
"""
SUMDB_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"


class Grown:
    """A tree kept as rows, grown batch by batch like the database's."""

    def __init__(self) -> None:
        self.nodes: dict[tuple[int, int], bytes] = {}
        self.size = 0

    def add(self, *leaves: bytes) -> None:
        for level, index, value in append(self.size, [leaf_hash(leaf) for leaf in leaves], self.node):
            assert (level, index) not in self.nodes, "a complete subtree is written once"
            self.nodes[level, index] = value
        self.size += len(leaves)

    def node(self, level: int, index: int) -> bytes:
        return self.nodes[level, index]


def grown(leaves: list[bytes]) -> Grown:
    tree = Grown()
    tree.add(*leaves)
    return tree


def naive_root(leaves: list[bytes]) -> bytes:
    """MTH as RFC 6962 §2.1 writes it."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(naive_root(leaves[:half]), naive_root(leaves[half:]))


def hashes(texts: list[str]) -> tuple[bytes, ...]:
    return tuple(map(bytes.fromhex, texts))


def test_roots_of_the_shared_leaves_are_the_published_ones():
    tree = Grown()
    for size, root in enumerate(ROOTS):
        assert root_of(size, tree.node) == merkle_root(LEAVES[:size]) == root
        if size < 8:
            tree.add(LEAVES[size])


@pytest.mark.parametrize(("index", "size"), PATHS)
def test_audit_paths_are_the_published_ones(index: int, size: int):
    path = inclusion_proof(index, size, grown(LEAVES).node)
    assert path == hashes(PATHS[index, size])
    assert check_inclusion(leaf_hash(LEAVES[index]), index, size, path, ROOTS[size])


@pytest.mark.parametrize(("old", "new"), CONSISTENCY)
def test_consistency_proofs_are_the_published_ones(old: int, new: int):
    path = consistency_proof(old, new, grown(LEAVES).node)
    assert path == hashes(CONSISTENCY[old, new])
    assert check_consistency(old, new, path, ROOTS[old], ROOTS[new])


def vectors(kind: str) -> list[dict]:
    return json.loads((VECTORS / f"{kind}.json").read_text())


def decoded(values: list[str] | None) -> list[bytes]:
    return [base64.b64decode(value or "") for value in values or []]


@pytest.mark.parametrize("vector", vectors("inclusion"), ids=lambda vector: vector["name"])
def test_inclusion_checker_agrees_with_the_reference(vector: dict):
    leaf, root = (base64.b64decode(vector[name] or "") for name in ("leafHash", "root"))
    good = check_inclusion(leaf, vector["leafIdx"], vector["treeSize"], decoded(vector["proof"]), root)
    assert good is not vector["wantErr"]


@pytest.mark.parametrize("vector", vectors("consistency"), ids=lambda vector: vector["name"])
def test_consistency_checker_agrees_with_the_reference(vector: dict):
    old, new = vector["size1"], vector["size2"]
    roots = [base64.b64decode(vector[name] or "") for name in ("root1", "root2")]
    good = check_consistency(old, new, decoded(vector["proof"]), *roots)
    if not all(len(root) == 32 for root in roots):
        assert not good  # the reference takes any bytes for a root when it needs no proof: see SOURCES.md
    else:
        assert good is not vector["wantErr"]


def test_every_proof_up_to_forty_leaves_verifies():
    leaves = [bytes([n]) for n in range(40)]
    tree = grown(leaves)
    roots = [naive_root(leaves[:size]) for size in range(41)]
    for new in range(41):
        for old in range(new + 1):
            path = consistency_proof(old, new, tree.node)
            assert check_consistency(old, new, path, roots[old], roots[new])
        for index in range(new):
            path = inclusion_proof(index, new, tree.node)
            assert check_inclusion(leaf_hash(leaves[index]), index, new, path, roots[new])


@given(st.lists(st.binary(max_size=8), max_size=70), st.data())
def test_batches_of_any_size_give_the_same_tree(leaves: list[bytes], data: st.DataObject):
    tree, rest = Grown(), leaves
    while rest:
        take = data.draw(st.integers(1, len(rest)))
        tree.add(*rest[:take])
        rest = rest[take:]
        assert root_of(tree.size, tree.node) == naive_root(leaves[: tree.size])
    assert tree.nodes == grown(leaves).nodes


@given(st.lists(st.binary(max_size=4), min_size=2, max_size=40), st.data())
def test_a_changed_bit_anywhere_breaks_a_proof(leaves: list[bytes], data: st.DataObject):
    tree, size = grown(leaves), len(leaves)
    index = data.draw(st.integers(0, size - 1))
    parts = [leaf_hash(leaves[index]), naive_root(leaves), *inclusion_proof(index, size, tree.node)]
    which, bit = data.draw(st.integers(0, len(parts) - 1)), data.draw(st.integers(0, 255))
    changed = bytearray(parts[which])
    changed[bit // 8] ^= 1 << bit % 8
    parts[which] = bytes(changed)
    assert not check_inclusion(parts[0], index, size, parts[2:], parts[1])


def test_impossible_proofs_are_refused():
    tree = grown(LEAVES)
    for index, size in ((8, 8), (-1, 3)):
        with pytest.raises(IndexError):
            inclusion_proof(index, size, tree.node)
    with pytest.raises(IndexError):
        consistency_proof(5, 3, tree.node)
    assert not check_inclusion(b"short", 0, 1, (), b"short")
    assert not check_consistency(3, 2, (), ROOTS[3], ROOTS[2])


def test_a_recipient_is_shown_its_own_line_only():
    entries = [recipient_entry(f"H99.{n}", bytes([n]) * 16) for n in range(13)]
    paths = audit_paths(entries)
    root = merkle_root(entries)
    assert paths[5] == audit_path(entries, 5)
    assert all(check_path(entry, n, 13, paths[n], root) for n, entry in enumerate(entries))
    assert not check_path(recipient_entry("H99.5", b"\0" * 16), 5, 13, paths[5], root)


def test_notes_open_with_their_key_and_with_no_other():
    key, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    text = checkpoint_text("vidu.example/so-cai", 8, ROOTS[8])
    note = sign_note(text, "vidu.example/so-cai", key)
    assert open_note(note, verifier_key("vidu.example/so-cai", key)) == text
    assert open_note(note, verifier_key("vidu.example/so-cai", other)) is None
    assert open_note(note, verifier_key("khac.example", key)) is None
    assert note_text(note) == text.encode()
    assert read_checkpoint(text) == ("vidu.example/so-cai", 8, ROOTS[8])


def test_go_sumdb_note_opens_with_its_published_key():
    key = read_verifier_key(SUMDB_KEY)
    assert key is not None
    assert key.text == SUMDB_KEY
    assert open_note(SUMDB_NOTE.encode(), key) == SUMDB_NOTE.partition("\n\n")[0] + "\n"
    assert open_note(SUMDB_NOTE.replace("problem,", "problem.").encode(), key) is None


def test_a_note_signed_by_several_opens_for_each():
    key, witness = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    note = sign_note("a\n", "log.example", key) + sign_note("a\n", "w.example", witness).rpartition(b"\n\n")[2]
    assert open_note(note, verifier_key("log.example", key)) == "a\n"
    assert open_note(note, verifier_key("w.example", witness)) == "a\n"


def test_every_changed_byte_of_a_checkpoint_is_noticed():
    key = Ed25519PrivateKey.generate()
    note = sign_note(checkpoint_text("o.example", 8, ROOTS[8]), "o.example", key)
    public = verifier_key("o.example", key)
    for at in range(len(note)):
        for flip in (1, 0x20, 0x80):
            changed = note[:at] + bytes([note[at] ^ flip]) + note[at + 1 :]
            assert open_note(changed, public) is None


@pytest.mark.parametrize("text", ["a\n08\n", "a\n8\nAAAA\n", "a\n-1\n", "\n1\n", "a\n1", ""])
def test_what_is_no_checkpoint_is_not_read_as_one(text: str):
    assert read_checkpoint(text) is None


def test_checkpoint_of_the_c2sp_page_is_read():
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    read = read_checkpoint(text)
    assert read is not None
    assert read[:2] == ("example.com/behind-the-sofa", 20852163)


def test_keys_and_texts_that_cannot_be_notes_are_refused():
    key = Ed25519PrivateKey.generate()
    for name in ("", "a b", "a+b", "a\u2003b"):
        with pytest.raises(ValueError):
            verifier_key(name, key)
    for text in ("no newline", "tab\t\n"):
        with pytest.raises(ValueError):
            sign_note(text, "a.example", key)
    assert read_verifier_key("a+00000000+" + base64.b64encode(b"\x01" + bytes(32)).decode()) is None
    assert read_verifier_key("rubbish") is None
    assert isinstance(read_verifier_key(VerifierKey("a", bytes(32)).text), VerifierKey)
