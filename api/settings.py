"""Settings: environment (`CONGVAN_…`), a TOML file and a folder of secrets. Nothing else reads the environment."""

import ipaddress
import os
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from signing.model import Level


class Settings(BaseSettings):
    """Everything that an operator may set; each has a default that works on one small machine."""

    model_config = SettingsConfigDict(env_prefix="CONGVAN_", extra="ignore")

    data: Path = Field(default=Path("data"), description="Folder for everything that is kept.")
    database_url: str | None = Field(
        default=None, description="SQLAlchemy URL (sqlite:// or postgresql://); default: SQLite in the data folder."
    )
    postgresql_bin: Path | None = Field(
        default=None, description="Folder of pg_dump and pg_restore, for backups; default: where programs are found."
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on.")
    public_url: str | None = Field(default=None, description="Address under which people reach the service.")
    upload_limit_mb: int = Field(default=50, ge=1, description="Largest PDF, in MB.")
    tsa_url: str | None = Field(default=None, description="RFC 3161 time-stamp authority.")
    sign_level_leader: Level = Field(
        default=Level.LT, description="Proof in the leader's signature: B-B, B-T, B-LT or B-LTA (ETSI EN 319 142-1)."
    )
    sign_level_seal: Level = Field(
        default=Level.LTA, description="Proof in the seal, and for the whole file: B-B, B-T, B-LT or B-LTA."
    )
    archive_lead_days: int = Field(
        default=365, ge=1, description="Archive time stamps are renewed this long before they end."
    )
    outgoing_allowed: list[str] = Field(
        default=[], description="host:port pairs that may be asked for time stamps, CRL and OCSP; nothing else is."
    )
    outgoing_private: list[str] = Field(
        default=[], description="Those of them whose name may lead to an address inside the own network."
    )
    master_key: Literal["file", "credential", "token"] = Field(
        default="file", description="Where the master key of the signing keys comes from: file, credential or token."
    )
    master_key_file: Path | None = Field(
        default=None, description="File of the master key; default: secrets/master.key in the data folder."
    )
    master_token_module: str | None = Field(
        default=None, description="Library (a name in pkcs11_modules) of the token that seals the master key."
    )
    master_token: str | None = Field(default=None, description="Label of the token that seals the master key.")
    master_token_key: str = Field(default="congvan-master", description="Label of the AES key on that token.")
    master_token_pin: str | None = Field(default=None, description="PIN of that token; better as a file of secrets.")
    pkcs11_modules: dict[str, Path] = Field(
        default={}, description="PKCS#11 libraries that may be loaded: name and path. Nothing else names a library."
    )
    remote_services: dict[str, str] = Field(
        default={}, description="Remote signing services (CSC API): name and address, such as https://…/csc/v1."
    )
    remote_tokens: dict[str, str] = Field(
        default={}, description="Access tokens of these services, by name; better as a file of secrets (JSON)."
    )
    remote_clients: dict[str, str] = Field(
        default={}, description="Our id at these services, by name, where they give tokens for it (OAuth 2.0)."
    )
    remote_secrets: dict[str, str] = Field(
        default={}, description="The secret of that id, by name; better as a file of secrets (JSON)."
    )
    remote_token_urls: dict[str, str] = Field(
        default={}, description="Where a service gives tokens, by name; default: oauth2/token below its address."
    )
    remote_seconds: int = Field(default=20, ge=1, description="How long such a service may take for one answer.")
    credentials: Path | None = Field(
        default=None, description="Folder of credentials; under systemd it says so itself (CREDENTIALS_DIRECTORY)."
    )
    session_idle_minutes: int = Field(default=30, ge=1, description="A session ends after this long without a request.")
    session_hours: int = Field(default=10, ge=1, description="A session ends after this long in any case.")
    desk_minutes: int = Field(
        default=20, ge=15, description="How long a signature with a key at the signer's desk may take."
    )
    desk_labels: list[str] = Field(
        default=[
            "Người ký:", "Ký bởi:", "Email:", "Cơ quan:", "Tổ chức:", "Đơn vị:", "Chức vụ:", "Thời gian ký:",
            "Ngày ký:", "Signed by", "Date",
        ],
        description="What a program may write beside a person's names in a signature that comes after others.",
    )  # fmt: skip
    desk_program: str = Field(
        default="wss://127.0.0.1:8987",
        pattern=r"^wss://(127\.0\.0\.1|localhost):\d{1,5}$",
        description="Where the signing program on the signer's own computer listens; pages may speak to it alone.",
    )
    sandbox_workers: int = Field(default=2, ge=1, description="Limited processes that may open PDFs at the same time.")
    sandbox_memory_mb: int = Field(default=1536, ge=256, description="Memory limit of each of them.")
    sandbox_seconds: int = Field(default=60, ge=1, description="Time limit of each call, wall clock and CPU.")
    s3_bucket: str | None = Field(default=None, description="Keep files in this S3 bucket instead of the data folder.")
    s3_endpoint: str | None = Field(default=None, description="Address of the S3-compatible store.")
    s3_access_key: str | None = Field(default=None, description="Access key of the S3-compatible store.")
    s3_secret_key: str | None = Field(default=None, description="Secret key of the S3-compatible store.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="debug, info, warning or error."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is said by hand wins over the environment, that over secrets, those over the TOML file."""
        toml = TomlConfigSettingsSource(settings_cls, Path(os.environ.get("CONGVAN_CONFIG", "congvan.toml")))
        return init_settings, env_settings, file_secret_settings, toml

    @property
    def database(self) -> str:
        """The database's address."""
        return self.database_url or f"sqlite:///{self.sqlite_file}"

    @property
    def sqlite_file(self) -> Path:
        """Where the embedded database lies, when no other is set."""
        return self.data.resolve() / "congvan.sqlite"

    @property
    def address(self) -> str:
        """Where people reach the service."""
        return self.public_url or f"http://{self.host}:{self.port}"

    @property
    def pilot(self) -> Path:
        """Folder of the pilot authority; it exists only in a pilot."""
        return self.data / "pilot"

    @property
    def is_pilot(self) -> bool:
        """Whether this service is a pilot."""
        return (self.pilot / "authority.json").is_file()

    @property
    def secure_cookies(self) -> bool:
        """Cookies are `Secure` everywhere but on loopback."""
        host = urlsplit(self.address).hostname or ""
        try:
            return not ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host != "localhost"


def load_settings(**by_hand: object) -> Settings:
    """The settings of this program: by hand, then environment, secrets folder, TOML file.

    The folder of secrets is `CONGVAN_SECRETS`, else the credentials that systemd hands to the unit.
    """
    handed = os.environ.get("CREDENTIALS_DIRECTORY")
    told: dict[str, object] = {"credentials": handed} if handed else {}
    return Settings(_secrets_dir=os.environ.get("CONGVAN_SECRETS", handed), **(told | by_hand))  # type: ignore[arg-type, call-arg]
