"""Private keys at rest, each sealed for one holder under that holder's PIN and, around that, under the master key.

    inner  = AES-256-GCM( HKDF-SHA256( argon2id(PIN, salt) ), nonce, PKCS#8 key; additional data = key id and holder )
    sealed = AES-256-GCM( master key, own nonce, inner; additional data = all else that the wrapping says )

What theft leaves to the thief:

- *The database alone* (or a backup of it): nothing. Without the 32 random bytes of the master key no PIN can be tried.
- *The master key alone*: nothing. It opens no key by itself.
- *Database and master key together*: guessing PINs offline, without the limit of five tries, which is kept by the
  store and does not bind a thief. Each guess for each key costs one argon2id run with the parameters stored in its
  wrapping (64 MiB, 3 passes, 4 lanes for new ones: about a quarter of a second of one core when this was written).
  All 10^8 PINs of eight digits are then some 290 core-days for one key, half of that on average: a hundred hired cores
  need three days, and a PIN that people often choose falls in minutes. Eight random lower-case letters and digits
  (2.8 * 10^12) are some 22 000 core-years. So the master key belongs on another disk, another backup or a token; after
  such a theft every certificate whose key was stored is to be revoked, whatever its PIN.
- *Writing the database of a running installation*: the thief can wind the counter of tries back and guess through the
  program, at its speed.
- *Memory of the running process* while a key is open: that key. Python cannot wipe memory; a key is opened for one
  call and dropped.

A wrapping moved to another row does not open: key id and holder are authenticated. A forgotten PIN cannot be recovered
by anybody: a new key and a new certificate are made. The master key can be changed without the PINs (`rewrap`): the
outer sealing alone is made anew, the inner one stays as its holder made it.
"""

import os
import unicodedata
from dataclasses import replace

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import load_der_private_key

from keys.errors import KeyUnavailable, PinTooShort, PinWrong
from keys.masters import MasterRing
from keys.model import Wrapping
from keys.signer import KIND, PrivateKey

LEAST_PIN = 8
"""Characters of a PIN, after Unicode normalisation (NFC)."""

MEMORY_KIB = 64 * 1024
ITERATIONS = 3
LANES = 4
"""The second recommended set of RFC 9106: what a small server can pay for each signature."""

PURPOSE = b"congvan key wrapping 2"


def wrap(private_key_der: bytes, *, pin: str, masters: MasterRing, key: str, holder: str) -> Wrapping:
    """Seal a private key (PKCS#8 DER) so that only `holder`, with `pin`, on an installation with that master, opens it.

    `key` is the key's id. The key is checked in full here, and never again: what opens later is authenticated. Raises
    `PinTooShort`, and `KeyUnavailable` for a key that is broken or of another kind than RSA and EC.
    """
    if len(_normal(pin)) < LEAST_PIN:
        raise PinTooShort(least=LEAST_PIN)
    _load(private_key_der)
    empty = Wrapping(os.urandom(16), os.urandom(12), b"", MEMORY_KIB, ITERATIONS, LANES, "")
    inner = AESGCM(_kek(empty, pin)).encrypt(empty.nonce, private_key_der, _place(key, holder))
    return _sealed(empty, inner, masters, key, holder)


def unseal(wrapping: Wrapping, *, masters: MasterRing, key: str, holder: str) -> bytes:
    """What is under the master key: the private key, still sealed under the PIN. Nothing is guessed with this.

    Raises `KeyUnavailable` when the master key is not held, or when the wrapping was altered or belongs elsewhere.
    """
    return masters.open(wrapping.master, wrapping.sealed, _outer_place(wrapping, key, holder))


def open_wrapping(
    wrapping: Wrapping, *, pin: str, masters: MasterRing, key: str, holder: str, left: int = 0
) -> PrivateKey:
    """The private key that `wrap` sealed, for one call; hand it to `keys.signer.VaultSigner`.

    Count the try and commit it first (`KeyStore.count_try`, which says `left`). Takes a quarter of a second and 64 MiB.
    Raises `PinWrong(left=left)`, and what `unseal` raises, which is no guess.
    """
    inner = unseal(wrapping, masters=masters, key=key, holder=holder)
    try:
        der = AESGCM(_kek(wrapping, pin)).decrypt(wrapping.nonce, inner, _place(key, holder))
    except InvalidTag as e:
        raise PinWrong(left=left) from e
    return _load(der, checked=True)


def rewrap(wrapping: Wrapping, *, masters: MasterRing, key: str, holder: str) -> Wrapping:
    """The same wrapping under the newest master key; the PIN stays, and nobody has to type it. Raises as `unseal`."""
    inner = unseal(wrapping, masters=masters, key=key, holder=holder)
    return _sealed(wrapping, inner, masters, key, holder)


def _sealed(wrapping: Wrapping, inner: bytes, masters: MasterRing, key: str, holder: str) -> Wrapping:
    name, sealed = masters.seal(inner, _outer_place(wrapping, key, holder))
    return replace(wrapping, sealed=sealed, master=name)


def _kek(wrapping: Wrapping, pin: str) -> bytes:
    # argon2-cffi, not cryptography's Argon2id: that one fails when two threads derive at the same time (OpenSSL)
    stretched = hash_secret_raw(
        _normal(pin).encode(),
        wrapping.salt,
        time_cost=wrapping.iterations,
        memory_cost=wrapping.memory_kib,
        parallelism=wrapping.lanes,
        hash_len=32,
        type=Type.ID,
    )
    return HKDF(SHA256(), length=32, salt=None, info=PURPOSE).derive(stretched)


def _normal(pin: str) -> str:
    # two keyboards may spell the same Vietnamese letter in two ways
    return unicodedata.normalize("NFC", pin)


def _place(key: str, holder: str) -> bytes:
    # lengths keep ("ab", "c") and ("a", "bc") apart
    return b"".join(len(part).to_bytes(4) + part for part in (key.encode(), holder.encode()))


def _outer_place(wrapping: Wrapping, key: str, holder: str) -> bytes:
    cost = b"".join(number.to_bytes(4) for number in (wrapping.memory_kib, wrapping.iterations, wrapping.lanes))
    return _place(key, holder) + wrapping.salt + wrapping.nonce + cost


def _load(der: bytes, *, checked: bool = False) -> PrivateKey:
    """A private key. `checked`: these very bytes were loaded once with every check, and AES-GCM says they still are.

    The checks of an RSA key (are p and q prime, do the parts agree) take as long as six to two hundred signatures.
    """
    try:
        key = load_der_private_key(der, None, unsafe_skip_rsa_key_validation=checked)
    except (ValueError, TypeError) as e:
        raise KeyUnavailable(why=KIND) from e
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise KeyUnavailable(why=KIND)
    return key
