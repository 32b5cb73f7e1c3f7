"""What config.toml and the environment say, read once and checked.

The sections ``[server]``, ``[openai]``, ``[master]`` and ``[recommend]`` are Gorse's, so that its file can be
dropped in: keys we do not know are ignored there and listed in ``ignored``. ``[recflow]`` is ours, and a
misspelt key in it stops the start. The environment wins over the file, the file over the defaults.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from recflow import addresses
from recflow.engine.settings import duration_seconds

PROJECT_FOLDER = Path(__file__).resolve().parent.parent

#: Environment variable -> where its value goes. An empty variable counts as not set.
ENVIRONMENT = {
    "GORSE_SERVER_API_KEY": "server.api_key",
    "OPENAI_BASE_URL": "openai.base_url",
    "OPENAI_AUTH_TOKEN": "openai.auth_token",
    "OPENAI_CHAT_COMPLETION_MODEL": "openai.chat_completion_model",
    "GORSE_DASHBOARD_USER_NAME": "master.dashboard_user_name",
    "GORSE_DASHBOARD_PASSWORD": "master.dashboard_password",
    "GORSE_ADMIN_API_KEY": "master.admin_api_key",
    "RECFLOW_DATA_DIR": "recflow.data_dir",
    "RECFLOW_ALLOWED_HOSTS": "recflow.allowed_hosts",
    "RECFLOW_TRUSTED_ORIGINS": "recflow.trusted_origins",
    "RECFLOW_HTTPS": "recflow.https",
    "RECFLOW_LOG_FORMAT": "recflow.log_format",
    "RECFLOW_LOG_REQUESTS": "recflow.log_requests",
    "SECRET_KEY": "recflow.secret_key",
    "DATABASE_URL": "recflow.database_url",
    "REDIS_URL": "recflow.redis_url",
    "RECFLOW_DASK_SCHEDULER": "recflow.dask_scheduler",
    "RECFLOW_NODES": "recflow.nodes",
}


class ConfigurationError(Exception):
    """The file or the environment holds nonsense; the message is one sentence."""


def _seconds(value: object) -> object:
    """Gorse's durations: "5s", "1h30m"; a bare number is nanoseconds."""
    if isinstance(value, str):
        return duration_seconds(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value / 1e9
    return value


def _words(value: object) -> object:
    return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value


def _secretly(check: Callable[[str], str]) -> Callable[[SecretStr], SecretStr]:
    """The same check of what is in a secret, for a field of that type."""

    def checked(value: SecretStr) -> SecretStr:
        check(value.get_secret_value())
        return value

    return checked


Seconds = Annotated[float, BeforeValidator(_seconds), Field(ge=0)]
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]


class _GorseSection(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class ServerSection(_GorseSection):
    """``[server]``: the REST API.

    Args:
        api_key: what ``X-API-Key`` must be; empty leaves the API open.
        default_n: items when a request does not say.
        clock_error_s: feedback dated up to this far ahead counts as now, in lists of feedback and in runs.
        auto_insert_user: feedback of an unknown user makes the user.
        auto_insert_item: feedback on an unknown item makes the item.
    """

    api_key: SecretStr = SecretStr("")
    default_n: int = Field(10, gt=0)
    clock_error_s: Seconds = Field(5.0, alias="clock_error")
    auto_insert_user: bool = True
    auto_insert_item: bool = True


class OpenAISection(_GorseSection):
    """``[openai]``: the model that ranks; rates of 0 mean no limit."""

    base_url: Annotated[str, AfterValidator(addresses.web_address)] = ""
    auth_token: SecretStr = SecretStr("")
    chat_completion_model: str = ""
    chat_completion_rpm: int = Field(0, ge=0)
    chat_completion_tpm: int = Field(0, ge=0)


class MasterSection(_GorseSection):
    """``[master]``: the first person who may log in to the dashboard, and the key of whoever administers.

    Args:
        dashboard_user_name: name of that person.
        dashboard_password: their password.
        admin_api_key: ``X-API-Key`` that opens the endpoints of the dashboard; empty: no key does.
    """

    dashboard_user_name: str = ""
    dashboard_password: SecretStr = SecretStr("")
    admin_api_key: SecretStr = SecretStr("")


class RecflowSection(BaseModel):
    """``[recflow]``: what Gorse has no word for.

    Args:
        data_dir: where database, snapshots and models are kept; relative to the project folder.
        database_url: PostgreSQL instead of the two SQLite files.
        redis_url: where web processes share messages and caches, and keep what prepared lists hold.
        secret_key: signs sessions; made and kept in the data folder when not given.
        allowed_hosts: names the server answers to beside localhost.
        trusted_origins: origins such as https://rec.example.org that may send forms.
        https: a proxy in front speaks TLS; cookies are then sent over https only.
        log_format: lines of text, or one JSON object a line.
        log_requests: a line for every request, not only for those that fail or take long.
        dask_scheduler: address of a Dask scheduler whose workers do the jobs; without one this machine does.
        nodes: modules with node types of one's own, imported after ours.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    data_dir: Path = Path("var")
    database_url: Annotated[SecretStr, AfterValidator(_secretly(addresses.database_url))] = SecretStr("")
    redis_url: Annotated[SecretStr, AfterValidator(_secretly(addresses.redis_url))] = SecretStr("")
    secret_key: SecretStr = SecretStr("")
    allowed_hosts: Annotated[Words, AfterValidator(addresses.host_names)] = ()
    trusted_origins: Annotated[Words, AfterValidator(addresses.origins)] = ()
    https: bool = False
    log_format: Literal["text", "json"] = "text"
    log_requests: bool = False
    dask_scheduler: Annotated[str, AfterValidator(addresses.scheduler)] = ""
    nodes: Words = ()


class _Environment(PydanticBaseSettingsSource):
    """The variables of ENVIRONMENT, each at its place in the nested settings."""

    def __call__(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for variable, place in ENVIRONMENT.items():
            section, _, key = place.partition(".")
            if text := os.environ.get(variable):
                values.setdefault(section, {})[key] = text
        return values

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False  # asked for by the base class; __call__ gives everything at once


class _File(TomlConfigSettingsSource):
    """config.toml, its keys in lower case as Gorse reads them."""

    def _read_file(self, file_path: Path) -> dict[str, Any]:
        return _lower_keys(super()._read_file(file_path))


class Configuration(BaseSettings):
    """All sections; ``recommend`` is kept as it came, for the import of Gorse's flow."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    server: ServerSection = ServerSection()
    openai: OpenAISection = OpenAISection()
    master: MasterSection = MasterSection()
    recommend: dict[str, Any] = {}
    recflow: RecflowSection = RecflowSection()
    file: Path | None = None
    ignored: tuple[str, ...] = ()

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, **_: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = _file_to_read()
        sources = (init_settings, _Environment(settings_cls))
        return (*sources, _File(settings_cls, file)) if file else sources

    @property
    def data_dir(self) -> Path:
        return PROJECT_FOLDER / self.recflow.data_dir.expanduser()


def read_configuration() -> Configuration:
    """The configuration of this process.

    Raises:
        ConfigurationError: a file that was named is missing, is no TOML, or a value makes no sense.
    """
    file = _file_to_read()
    try:
        raw = _lower_keys(tomllib.loads(file.read_text(encoding="utf-8"))) if file else {}
        return Configuration(file=file, ignored=tuple(_unknown_keys(raw)))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} is not a TOML file: {error}") from error
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise ConfigurationError(_sentence(error, file)) from error


def prepare_data_dir(configuration: Configuration) -> Path:
    """The data folder, made for the owner's eyes only if need be: sessions and what users did are in it.

    Raises:
        ConfigurationError: it cannot be made or written.
    """
    folder = configuration.data_dir
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise ConfigurationError(
            f"The data folder {folder} cannot be written ({error.strerror}): "
            "name another one in RECFLOW_DATA_DIR"
        ) from error
    return folder


def secret_key(configuration: Configuration) -> str:
    """The key that signs sessions: as given, or made on first use and kept for the owner's eyes only.

    Raises:
        ConfigurationError: the file that keeps it cannot be made or read.
    """
    if given := configuration.recflow.secret_key.get_secret_value():
        return given
    path = prepare_data_dir(configuration) / "secret_key"
    try:
        if not path.exists():
            _make_secret(path)
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigurationError(
            f"{path} cannot be used ({reason}): let this account read it, or give a SECRET_KEY"
        ) from error


def _make_secret(path: Path) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(50))
    # Of two processes that start together, the first link wins and both read the same key.
    with contextlib.suppress(FileExistsError):
        path.hardlink_to(draft)
    draft.unlink()


def keys_of_gorse() -> dict[str, set[str]]:
    """The sections of Gorse's that are settings here, and which of their keys mean something."""
    sections = {"server": ServerSection, "openai": OpenAISection, "master": MasterSection}
    return {
        name: {info.alias or field for field, info in model.model_fields.items()}
        for name, model in sections.items()
    }


def _file_to_read() -> Path | None:
    named = os.environ.get("RECFLOW_CONFIG")
    if named:
        return Path(named).expanduser()
    usual = PROJECT_FOLDER / "config.toml"
    return usual if usual.exists() else None


def _lower_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key.lower(): _lower_keys(inner) for key, inner in value.items()}
    return [_lower_keys(inner) for inner in value] if isinstance(value, list) else value


def _unknown_keys(raw: dict[str, Any]) -> list[str]:
    known = keys_of_gorse()
    unknown = [name for name in raw if name not in {*known, "recommend", "recflow"}]
    for name, keys in known.items():
        section = raw.get(name)
        unknown += (
            [f"{name}.{key}" for key in section if key not in keys] if isinstance(section, dict) else []
        )
    return unknown


def _sentence(error: ValidationError, file: Path | None) -> str:
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    variables = [name for name, target in ENVIRONMENT.items() if target == place and os.environ.get(name)]
    source = variables[0] if variables else str(file or "The configuration")
    if first["type"] == "extra_forbidden":
        known = ", ".join(RecflowSection.model_fields)
        return f"{source}: {place} is not a setting; [recflow] has {known}"
    is_secret = any(word in place for word in ("key", "token", "password", "url"))
    given = "" if is_secret else f", got {first['input']!r}"
    reason = str(first["ctx"]["error"]) if first["type"] == "value_error" else first["msg"]
    return f"{source}: {place} is wrong: {reason}{given}"
