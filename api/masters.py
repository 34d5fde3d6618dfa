"""Where secrets of this installation are kept: its master keys in a file, a credential, or a file that a token sealed.

A ring of one key is the usual; while a rotation runs it holds two, oldest first, in the same place.
"""

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkstemp

from api.errors import MasterKeyFixed, MasterKeyMissing
from api.settings import Settings
from keys.masters import MasterRing, new_master, split_ring
from keys.tokens import open_ring, seal_ring, token_session

CREDENTIAL = "congvan-master"
"""The name of the credential: `LoadCredentialEncrypted=congvan-master:…` of the unit."""


def held_ring(settings: Settings) -> MasterRing:
    """The master keys that the settings name; a file of ours is made on the first start, a credential never.

    Raises `MasterKeyMissing`, and what a token raises.
    """
    return MasterRing(lambda: load_masters(settings))


def load_masters(settings: Settings) -> tuple[bytes, ...]:
    """The master keys, oldest first."""
    if settings.master_key == "credential":
        return split_ring(_credential(settings))
    if settings.master_key == "token":
        return _from_token(settings)
    return split_ring(kept_secret(_file(settings), new_master))


def keep_masters(settings: Settings, masters: Sequence[bytes]) -> None:
    """Keep exactly these, oldest first, whole or not at all. Raises `MasterKeyFixed` where only systemd can."""
    if settings.master_key == "credential":
        raise MasterKeyFixed
    if settings.master_key == "token":
        _to_token(settings, masters)
    else:
        replace_secret(_file(settings), b"".join(masters))


@contextmanager
def one_rotation(settings: Settings) -> Iterator[None]:
    """One rotation at a time: two that begin together would each make a key and keep only one of them."""
    file = settings.data / "secrets" / ".rotating"
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)  # ends with its process, however that ends
        yield
    finally:
        os.close(handle)


def move_to_token(settings: Settings) -> None:
    """Seal the master key of the file under the token's key and remove the file; a second call changes nothing."""
    plain = _file(settings)
    if plain.is_file():
        masters = split_ring(plain.read_bytes())
        _to_token(settings, masters)
        if _from_token(settings) == masters:
            plain.unlink()
            _sync(plain.parent)


def kept_secret(file: Path, new: Callable[[], bytes]) -> bytes:
    """The secret in a file that only its owner can read; made once, on the first start.

    It gets its name when it is whole: who starts at the same moment reads all of it or makes none, and a kill leaves
    no empty one behind.
    """
    if file.exists():
        return file.read_bytes()
    whole = _whole(file, new)
    try:
        with suppress(FileExistsError):  # another was first: theirs is the secret
            os.link(whole, file)
    finally:
        whole.unlink()
    _sync(file.parent)
    return file.read_bytes()


def replace_secret(file: Path, data: bytes) -> None:
    """Put another secret into that file, whole or not at all."""
    _whole(file, lambda: data).replace(file)
    _sync(file.parent)


def _whole(file: Path, make: Callable[[], bytes]) -> Path:
    """What `make` makes beside the file, under a name of its own, on the disk, for its owner only."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = mkstemp(dir=file.parent, prefix=f".{file.name}-")
    try:
        with os.fdopen(handle, "wb") as opened:
            opened.write(make())
            opened.flush()
            os.fsync(opened.fileno())
    except BaseException:
        Path(name).unlink()
        raise
    return Path(name)


def _file(settings: Settings) -> Path:
    return settings.master_key_file or settings.data / "secrets" / "master.key"


def _sealed_file(settings: Settings) -> Path:
    return settings.data / "secrets" / "master.sealed"


def handed_pin(settings: Settings, name: str) -> str | None:
    """The PIN in the credential `congvan-pin-NAME`, or None where there is none."""
    file = (settings.credentials or Path("-")) / f"congvan-pin-{name}"
    return file.read_text("utf-8").rstrip("\r\n") if file.is_file() else None


def _credential(settings: Settings) -> bytes:
    file = (settings.credentials or Path("-")) / CREDENTIAL
    if not file.is_file():
        raise MasterKeyMissing(where=f"systemd: {CREDENTIAL}")
    return file.read_bytes()


def _from_token(settings: Settings) -> tuple[bytes, ...]:
    sealed = _sealed_file(settings)
    if not sealed.is_file() and _file(settings).is_file():
        raise MasterKeyMissing(where="congvan key seal-master")  # it lies unsealed in its file, and opens keys
    kept = kept_secret(sealed, lambda: _sealed_by_token(settings, [new_master()]))
    with token_session(*_token(settings)) as session:
        return open_ring(session, settings.master_token_key, kept)


def _to_token(settings: Settings, masters: Sequence[bytes]) -> None:
    replace_secret(_sealed_file(settings), _sealed_by_token(settings, masters))


def _sealed_by_token(settings: Settings, masters: Sequence[bytes]) -> bytes:
    with token_session(*_token(settings), writing=True) as session:
        return seal_ring(session, settings.master_token_key, masters)


def _token(settings: Settings) -> tuple[str, str, str]:
    """Library, label and PIN of the token that seals the master key."""
    module = settings.pkcs11_modules.get(settings.master_token_module or "")
    if module is None or not settings.master_token or settings.master_token_pin is None:
        raise MasterKeyMissing(where="CONGVAN_MASTER_TOKEN_MODULE, CONGVAN_MASTER_TOKEN, CONGVAN_MASTER_TOKEN_PIN")
    return str(module), settings.master_token, settings.master_token_pin


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
