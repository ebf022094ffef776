"""The settings of the server: the only place that reads the environment."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeVar

from reload.repository.credential import Credential
from server.settings.addresses import (
    branch_name,
    is_web_address,
    notify_address,
    origins,
    remote_address,
    remote_username,
)
from server.settings.hosts import host_names
from server.settings.networks import Network, trusted_networks
from server.settings.secret import Secret, SecretError
from server.settings.values import (
    byte_count,
    count,
    folder,
    host,
    one_of,
    port,
    repository,
    seconds,
    seconds_above_0,
)
from server.settings.variables import KNOWN, VARIABLES, Variable

__all__ = ["VARIABLES", "Secret", "Settings", "SettingsError", "Variable", "read_settings"]

_PARTNERS: Final = (
    "CFP_DATA_RELOAD_SECRET",
    "CFP_DATA_RELOAD_SECRET_PREVIOUS",
    "CFP_NOTIFY_URL",
    "CFP_NOTIFY_SECRET",
)

T = TypeVar("T")


class SettingsError(Exception):
    """The environment cannot be used; `faults` holds everything that is wrong with it.

    Each fault names its variable and says how to fix it; none shows a secret.
    """

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


@dataclass(frozen=True)
class Settings:
    """What the environment asks for, checked; `docs/reference/settings.md` describes each."""

    repo_path: Path | None
    remote: str | None
    remote_username: str
    remote_token: Secret | None
    branch: str | None
    reload_secret: Secret | None
    reload_secret_previous: Secret | None
    poll_interval_s: float
    invalid: str
    schema: str
    rewrite: str
    mass_delete: str
    state_path: Path | None
    git_timeout_s: float
    git_pack_bytes_max: int
    github_secret: Secret | None
    gitlab_token: Secret | None
    gitlab_signing_token: Secret | None
    gitea_secret: Secret | None
    bitbucket_secret: Secret | None
    azure_secret: Secret | None
    standard_secret: Secret | None
    notify_url: str | None = field(repr=False)  # chat services put the credential into the path
    notify_secret: Secret | None
    sentry_dsn: str | None = field(repr=False)
    host: str
    port: int
    cors_origins: tuple[str, ...]
    allowed_hosts: tuple[str, ...]
    trusted_proxies: tuple[Network, ...]
    failed_attempts_max: int
    connections_per_peer_max: int
    query_wait_s: float
    queries_per_peer_max: int
    attachment_bytes_max: int
    attachment_files_bytes_max: int
    log_format: str
    log_level: str
    log_peers: str
    warnings: tuple[str, ...]

    @property
    def remote_credential(self) -> Credential | None:
        """What git may send to the remote, None where git's own configuration is to know it."""
        if self.remote is None or self.remote_token is None or not is_web_address(self.remote):
            return None
        return Credential(self.remote, self.remote_username, self.remote_token.current)

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Every secret that is set: what logs must not show."""
        values = (getattr(self, name) for name in self.__dataclass_fields__)
        return tuple(value for value in values if isinstance(value, Secret))


def read_settings(environ: Mapping[str, str], required: Iterable[str] = ()) -> Settings:
    """The settings that `environ` asks for.

    Raises SettingsError with every fault at once: values that are not understood, unknown names
    that begin with `CFP_DATA_`, and names of `required` that are unset. What is odd but harmless
    ends up in `warnings`. An empty value counts as unset, except for a secret (a fault) and for
    `CFP_CORS_ORIGINS` (no origin).
    """
    reader = _Reader(environ)
    reader.look_for_unknown_names()
    for name in required:
        if reader.text(name) is None:
            reader.faults.append(f"{name} is not set; set it to the {KNOWN[name].meaning}")
    settings = _settings(reader)
    reader.look_for_missing_partners()
    reader.faults += _contradictions(settings)
    reader.warnings += _oddities(settings)
    if reader.faults:
        raise SettingsError(reader.faults)
    return replace(settings, warnings=tuple(reader.warnings))


class _Reader:
    """Takes values out of an environment and notes every fault on the way."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.faults: list[str] = []
        self.warnings: list[str] = []

    def look_for_unknown_names(self) -> None:
        """Refuse what looks like a mistyped setting, rather than run without it."""
        known = sorted(name for variable in VARIABLES for name in variable.names)
        for name in sorted(self._environ):
            if not name.startswith("CFP_") or name in known:
                continue
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
            if name.startswith("CFP_DATA_"):
                self.faults.append(f"{name} is not a setting; did you mean {nearest}?")
            else:
                self.warnings.append(f"{name} is not a setting and has no effect; did you mean {nearest}?")

    def look_for_missing_partners(self) -> None:
        """Note settings that mean little without another one."""
        secret, previous, url, signature = map(self._is_set, _PARTNERS)
        if previous and not secret:
            self.faults.append(
                "CFP_DATA_RELOAD_SECRET_PREVIOUS is set without CFP_DATA_RELOAD_SECRET; "
                "set the secret that replaces it, too"
            )
        if url and not signature:
            self.warnings.append("CFP_NOTIFY_SECRET is not set: reports will not be signed")
        if signature and not url:
            self.warnings.append("CFP_NOTIFY_SECRET has no effect without CFP_NOTIFY_URL")

    def text(self, name: str) -> str | None:
        """The value without blanks around it, else the default; None when there is neither."""
        return self._environ.get(name, "").strip() or KNOWN[name].default

    def _is_set(self, name: str) -> bool:
        return any(self._environ.get(form, "").strip() for form in KNOWN[name].names)

    def value(self, name: str, parse: Callable[[str], T]) -> T:
        """The parsed value of a variable that has a default."""
        parsed = self.optional(name, parse)
        # After a fault any value will do: read_settings raises before anybody sees it.
        return parse(KNOWN[name].default or "") if parsed is None else parsed

    def optional(self, name: str, parse: Callable[[str], T]) -> T | None:
        """The parsed value; None when it is unset or, with a fault noted, not understood."""
        text = self.text(name)
        try:
            return None if text is None else parse(text)
        except ValueError as error:
            self.faults.append(f"{name} {error}")
            return None

    def origins(self, name: str) -> tuple[str, ...]:
        """Origins, where empty must not mean the default: that would open what was closed."""
        if name in self._environ and not self._environ[name].strip():
            return ()
        return self.value(name, origins)

    def secret(self, name: str, withdrawable: bool = False) -> Secret | None:
        """The secret given as NAME or as NAME_FILE; None when it is unset or faulty."""
        by_file = f"{name}_FILE"
        if name in self._environ and by_file in self._environ:
            self.faults.append(f"{name} and {by_file} are both set; unset one of them")
            return None
        least, token = KNOWN[name].characters_min, KNOWN[name].token
        try:
            if by_file in self._environ:
                path = Path(self._environ[by_file]).absolute()
                return Secret(file=path, characters_min=least, token=token, withdrawable=withdrawable)
            if name in self._environ:
                return Secret(os.fsencode(self._environ[name]), characters_min=least, token=token)
        except SecretError as fault:
            self.faults.append(f"{by_file if by_file in self._environ else name} {fault}")
        return None


def _settings(reader: _Reader) -> Settings:
    repo_path = reader.optional("CFP_DATA_REPO_PATH", repository)
    state_path = reader.optional("CFP_DATA_STATE_PATH", folder)
    if state_path is None and repo_path is not None:
        state_path = Path(f"{repo_path}.state")
    return Settings(
        repo_path=repo_path,
        remote=reader.optional("CFP_DATA_REMOTE", remote_address),
        remote_username=reader.value("CFP_DATA_REMOTE_USERNAME", remote_username),
        remote_token=reader.secret("CFP_DATA_REMOTE_TOKEN"),
        branch=reader.optional("CFP_DATA_BRANCH", branch_name),
        reload_secret=reader.secret("CFP_DATA_RELOAD_SECRET"),
        reload_secret_previous=reader.secret("CFP_DATA_RELOAD_SECRET_PREVIOUS", withdrawable=True),
        poll_interval_s=reader.value("CFP_DATA_POLL_INTERVAL", seconds),
        invalid=reader.value("CFP_DATA_INVALID", one_of("reject", "quarantine")),
        schema=reader.value("CFP_DATA_SCHEMA", one_of("off", "warn", "enforce")),
        rewrite=reader.value("CFP_DATA_REWRITE", one_of("refuse", "follow")),
        mass_delete=reader.value("CFP_DATA_MASS_DELETE", one_of("hold", "allow")),
        state_path=state_path,
        git_timeout_s=reader.value("CFP_GIT_TIMEOUT", seconds_above_0),
        git_pack_bytes_max=reader.value("CFP_GIT_PACK_BYTES_MAX", byte_count),
        github_secret=reader.secret("CFP_GITHUB_WEBHOOK_SECRET"),
        gitlab_token=reader.secret("CFP_GITLAB_WEBHOOK_TOKEN"),
        gitlab_signing_token=reader.secret("CFP_GITLAB_WEBHOOK_SIGNING_TOKEN"),
        gitea_secret=reader.secret("CFP_GITEA_WEBHOOK_SECRET"),
        bitbucket_secret=reader.secret("CFP_BITBUCKET_WEBHOOK_SECRET"),
        azure_secret=reader.secret("CFP_AZURE_WEBHOOK_SECRET"),
        standard_secret=reader.secret("CFP_STANDARD_WEBHOOK_SECRET"),
        notify_url=reader.optional("CFP_NOTIFY_URL", notify_address),
        notify_secret=reader.secret("CFP_NOTIFY_SECRET"),
        sentry_dsn=reader.optional("SENTRY_DSN", str),
        host=reader.value("HOST", host),
        port=reader.value("PORT", port),
        cors_origins=reader.origins("CFP_CORS_ORIGINS"),
        allowed_hosts=reader.optional("CFP_ALLOWED_HOSTS", host_names) or (),
        trusted_proxies=reader.optional("CFP_TRUSTED_PROXIES", trusted_networks) or (),
        failed_attempts_max=reader.value("CFP_FAILED_ATTEMPTS", count),
        connections_per_peer_max=reader.value("CFP_CONNECTIONS_PER_PEER", count),
        query_wait_s=reader.value("CFP_QUERY_WAIT", seconds_above_0),
        queries_per_peer_max=reader.value("CFP_QUERIES_PER_PEER", count),
        attachment_bytes_max=reader.value("CFP_ATTACHMENT_BYTES_MAX", byte_count),
        attachment_files_bytes_max=reader.value("CFP_ATTACHMENT_FILES_BYTES_MAX", byte_count),
        log_format=reader.optional("CFP_LOG_FORMAT", one_of("json", "console")) or "",
        log_level=reader.value("CFP_LOG_LEVEL", one_of("debug", "info", "warning", "error", "critical")),
        log_peers=reader.value("CFP_LOG_PEERS", one_of("on", "off")),
        warnings=(),
    )


def _contradictions(settings: Settings) -> Iterator[str]:
    """Faults of values that are right alone and wrong together."""
    repo, state = settings.repo_path, settings.state_path
    if repo is not None and state is not None and (state == repo or state in repo.parents):
        yield (
            "CFP_DATA_STATE_PATH holds the repository of CFP_DATA_REPO_PATH, but may be deleted "
            "at any time; choose a folder of its own"
        )


def _oddities(settings: Settings) -> Iterator[str]:
    """What is understood, but hardly meant."""
    if settings.remote_token is None:
        return
    if not is_web_address(settings.remote or ""):
        yield "CFP_DATA_REMOTE_TOKEN has no effect: it goes with an https address in CFP_DATA_REMOTE"
    elif not (settings.remote or "").startswith("https://"):
        yield "CFP_DATA_REMOTE is not encrypted: CFP_DATA_REMOTE_TOKEN can be read on its way"
