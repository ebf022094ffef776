"""The environment variables of Livesheets, as data: their names, defaults and meanings.

`server/settings/settings.py` reads them and refuses names that are not here; `docs/reference/settings.md`
repeats the table, and a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

OWN_SECRET_CHARACTERS_MIN: Final = 32
# Webhooks that exist already often have shorter secrets; the example that GitHub publishes has 26.
FORGE_SECRET_CHARACTERS_MIN: Final = 16


@dataclass(frozen=True)
class Variable:
    """One environment variable.

    `default` is the text that counts when the variable is unset (None: there is none), and
    `when_unset` says in words what happens then, where the default alone would not. A variable
    with `characters_min` above zero is a secret: it may be given as a file, under its name with
    `_FILE`, and its value is never shown. A `token` is a secret that a caller sends as it is, in a
    header of a request.
    """

    name: str
    default: str | None
    meaning: str
    when_unset: str = ""
    characters_min: int = 0
    token: bool = False

    @property
    def secret(self) -> bool:
        """Whether the value must never be shown."""
        return self.characters_min > 0

    @property
    def names(self) -> tuple[str, ...]:
        """Every name under which the variable may be set."""
        return (self.name, f"{self.name}_FILE") if self.secret else (self.name,)


def _own_secret(name: str, meaning: str, when_unset: str = "unset", *, token: bool = False) -> Variable:
    return Variable(name, None, meaning, when_unset, OWN_SECRET_CHARACTERS_MIN, token)


def _forge_secret(name: str, meaning: str, *, token: bool = False) -> Variable:
    return Variable(name, None, meaning, "unset", FORGE_SECRET_CHARACTERS_MIN, token)


VARIABLES: Final[tuple[Variable, ...]] = (
    Variable(
        "CFP_DATA_REPO_PATH",
        None,
        "path of the bare repository the server owns; cloned there when absent and a remote is set",
        "required by `serve`",
    ),
    Variable(
        "CFP_DATA_REMOTE",
        None,
        "URL or path fetched from, without credentials; "
        "unset: nothing is fetched, a reload re-reads the local branch",
        "unset",
    ),
    Variable(
        "CFP_DATA_REMOTE_USERNAME",
        "x-access-token",
        "user name that goes with the token; most forges take any",
    ),
    _forge_secret(
        "CFP_DATA_REMOTE_TOKEN",
        "token or password for an `https` remote; goes to its host only, and never into arguments or files",
    ),
    Variable(
        "CFP_DATA_BRANCH",
        None,
        "the branch that is served",
        "the repository's HEAD branch",
    ),
    _own_secret(
        "CFP_DATA_RELOAD_SECRET",
        "shared secret of the webhook, at least 32 characters",
        "unset: webhook answers 503",
        token=True,
    ),
    _own_secret(
        "CFP_DATA_RELOAD_SECRET_PREVIOUS",
        "also accepted, so that a secret can be rotated without a gap; "
        "emptying or deleting its file withdraws it",
        token=True,
    ),
    Variable(
        "CFP_DATA_POLL_INTERVAL",
        "0",
        "seconds between reconciliations, at most 86400; 0 is off",
    ),
    Variable(
        "CFP_DATA_INVALID",
        "reject",
        "`reject`: a commit with an unreadable record is refused whole; "
        "`quarantine`: that record's last readable version is served with the rest of the commit",
    ),
    Variable(
        "CFP_DATA_SCHEMA",
        "warn",
        "records that break their sheet's JSON Schema: `off`, "
        "`warn` (served and listed) or `enforce` (counts as unreadable)",
    ),
    Variable(
        "CFP_DATA_REWRITE",
        "refuse",
        "remote history was rewritten: `refuse` (keep serving) or "
        "`follow` (save the old head under `refs/livesheets/rewound/`, then follow)",
    ),
    Variable(
        "CFP_DATA_STATE_PATH",
        None,
        "folder of the search index and caches; may be deleted at any time",
        "`<repo path>.state`",
    ),
    Variable(
        "CFP_GIT_TIMEOUT",
        "60",
        "seconds, total, for one git network operation; more than 0, at most 86400",
    ),
    Variable(
        "CFP_GIT_PACK_BYTES_MAX",
        "2147483648",
        "bytes that one fetch may bring at most; from 1048576 (1 MiB) up",
    ),
    Variable(
        "CFP_DATA_MASS_DELETE",
        "hold",
        "a commit that removes more than half of a sheet of 20 or more records: "
        "`hold` (until confirmed) or `allow` (serve it)",
    ),
    _forge_secret("CFP_GITHUB_WEBHOOK_SECRET", "secret of a GitHub webhook"),
    _forge_secret("CFP_GITLAB_WEBHOOK_TOKEN", "secret token of a GitLab webhook", token=True),
    _forge_secret("CFP_GITLAB_WEBHOOK_SIGNING_TOKEN", "signing token of a GitLab webhook, `whsec_…`"),
    _forge_secret("CFP_GITEA_WEBHOOK_SECRET", "secret of a Gitea or Forgejo webhook"),
    _forge_secret("CFP_BITBUCKET_WEBHOOK_SECRET", "secret of a Bitbucket webhook"),
    _forge_secret(
        "CFP_AZURE_WEBHOOK_SECRET", "password of an Azure DevOps service hook, with any user name", token=True
    ),
    _own_secret("CFP_STANDARD_WEBHOOK_SECRET", "secret of a Standard Webhooks sender"),
    Variable(
        "CFP_NOTIFY_URL",
        None,
        "where refused commits, recoveries and lasting staleness are reported",
        "unset",
    ),
    _own_secret("CFP_NOTIFY_SECRET", "signs these reports, as Standard Webhooks describes"),
    Variable(
        "SENTRY_DSN",
        None,
        "where the same is told to Sentry; needs the package `sentry-sdk`",
        "unset",
    ),
    Variable("HOST", "127.0.0.1", "listen address"),
    Variable("PORT", "8080", "listen port; 0 takes any that is free"),
    Variable(
        "CFP_CORS_ORIGINS",
        "*",
        "origins that may read from a browser, separated by blanks or commas; empty: none; "
        "never applies to internal routes",
    ),
    Variable(
        "CFP_ALLOWED_HOSTS",
        None,
        "names that this server answers to (`Host`), without ports, separated by blanks or commas; a request "
        "for another is refused, except `/healthz` and `/readyz`",
        "unset: any",
    ),
    Variable(
        "CFP_TRUSTED_PROXIES",
        None,
        "addresses or networks of reverse proxies, separated by blanks or commas, whose "
        "`X-Forwarded-For` tells who calls; from anybody else it is ignored",
        "unset: none",
    ),
    Variable(
        "CFP_FAILED_ATTEMPTS",
        "30",
        "failed attempts with a credential by one peer within a minute, after which it gets 429; 0: no limit",
    ),
    Variable(
        "CFP_CONNECTIONS_PER_PEER",
        "1024",
        "open connections of one peer, trusted proxies aside; 0: no limit",
    ),
    Variable(
        "CFP_QUERY_WAIT",
        "10",
        "seconds that a search or another long question waits for its turn, then it is 503; more than 0, "
        "at most 86400",
    ),
    Variable(
        "CFP_QUERIES_PER_PEER",
        "1024",
        "searches and other long questions of one peer that wait at most; one more is 503; 0: no limit",
    ),
    Variable(
        "CFP_ATTACHMENT_BYTES_MAX",
        "1073741824",
        "bytes of the largest attachment that is sent; from 1048576 (1 MiB) up",
    ),
    Variable(
        "CFP_ATTACHMENT_FILES_BYTES_MAX",
        "1073741824",
        "bytes of extracted attachments that are kept in the state folder; from 1048576 (1 MiB) up",
    ),
    Variable(
        "CFP_LOG_FORMAT",
        None,
        "`json` or `console`",
        "`json` unless stderr is a terminal",
    ),
    Variable(
        "CFP_LOG_LEVEL",
        "info",
        "lowest level that is logged: `debug`, `info`, `warning`, `error` or `critical`",
    ),
    Variable(
        "CFP_LOG_PEERS",
        "on",
        "`off`: the lines of requests do not name who asked, neither the address nor the program",
    ),
)

KNOWN: Final[dict[str, Variable]] = {variable.name: variable for variable in VARIABLES}
