"""The master keys of an installation: the newest seals, every one that is still held opens.

There is one but while a rotation runs: then the former is held until nothing is sealed under it any more. A master
key has a name that tells nothing of it; what was sealed says under which. The bytes come from whoever may read files,
credentials or tokens (`load`), and are asked for again when a name is not known: another process may have rotated.
"""

import hmac
import os
import threading
from collections.abc import Callable, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from keys.errors import KeyUnavailable, Words

MASTER_BYTES = 32
NONCE_BYTES = 12
NAMING = b"congvan master key name 1"
SEALING = b"congvan master key sealing 1"

MASTER_WRONG = Words("khóa chủ phải dài 32 byte", "the master key must have 32 bytes")
MASTER_GONE = Words("không có khóa chủ {name} đã niêm khóa này", "its master key {name} is not here")
DAMAGED = Words("khóa lưu trữ đã bị sửa đổi", "the stored key was altered")


def new_master() -> bytes:
    """A master key: 32 random bytes, to be kept apart from the database."""
    return os.urandom(MASTER_BYTES)


def split_ring(data: bytes) -> tuple[bytes, ...]:
    """The master keys in the bytes of a file, oldest first: 32 bytes each, one behind the other.

    Raises `KeyUnavailable` for any other length, an empty file among them.
    """
    if not data or len(data) % MASTER_BYTES:
        raise KeyUnavailable(why=MASTER_WRONG)
    return tuple(data[start : start + MASTER_BYTES] for start in range(0, len(data), MASTER_BYTES))


def master_name(master: bytes) -> str:
    """The name of a master key: 16 hexadecimal digits, from which nothing of it can be computed."""
    return _derived(master, NAMING, 8).hex()


class MasterRing:
    """The master keys that are held now. Safe to share by threads.

    `load` gives them, oldest first; it is called at once, and again when something was sealed under an unknown one.
    Raises `KeyUnavailable` when a key has not 32 bytes, and what `load` raises.
    """

    def __init__(self, load: Callable[[], Sequence[bytes]]) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._held: dict[str, bytes] = {}
        self._newest = ""
        self.reload()

    @classmethod
    def of(cls, *masters: bytes) -> "MasterRing":
        """A ring of these keys, oldest first."""
        return cls(lambda: masters)

    @property
    def newest(self) -> str:
        """The name of the key that seals."""
        return self._newest

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all keys that are held, oldest first."""
        return tuple(self._held)

    def reload(self) -> None:
        """Ask for the keys again."""
        with self._lock:
            masters = tuple(self._load())
            if not masters or any(len(master) != MASTER_BYTES for master in masters):
                raise KeyUnavailable(why=MASTER_WRONG)
            self._held = {master_name(master): master for master in masters}
            self._newest = master_name(masters[-1])

    def seal(self, data: bytes, place: bytes) -> tuple[str, bytes]:
        """`data` sealed under the newest key for one place (AES-256-GCM, nonce first), and that key's name."""
        nonce, name = os.urandom(NONCE_BYTES), self._newest
        sealing = AESGCM(_derived(self._held[name], SEALING, 32))
        return name, nonce + sealing.encrypt(nonce, data, place)

    def open(self, name: str, sealed: bytes, place: bytes) -> bytes:
        """What `seal` sealed for that place under the key of that name.

        Raises `KeyUnavailable` when that key is not held, or when the bytes or the place are others.
        """
        if name not in self._held:
            self.reload()
        master = self._held.get(name)
        if master is None:
            raise KeyUnavailable(why=Words(*(words.format(name=name) for words in MASTER_GONE)))
        nonce, body = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            return AESGCM(_derived(master, SEALING, 32)).decrypt(nonce, body, place)
        except (InvalidTag, ValueError) as error:
            raise KeyUnavailable(why=DAMAGED) from error

    def derive(self, purpose: bytes) -> bytes:
        """A key of 32 bytes for something short-lived; after a rotation another one."""
        return hmac.digest(self._held[self._newest], purpose, "sha256")


def _derived(master: bytes, purpose: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length=length, salt=None, info=purpose).derive(master)
