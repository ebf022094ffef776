"""What the environment may ask for, and how it is told that it may not."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest

from server.settings.settings import VARIABLES, Settings, SettingsError, Variable, read_settings

SECRET = "s3cret-" + "0123456789abcdef" * 2
OTHER = "0ther-" + "fedcba9876543210" * 2


def faults_of(environ: dict[str, str], *required: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        read_settings(environ, required)
    return caught.value.faults


def only_fault_of(environ: dict[str, str]) -> str:
    (fault,) = faults_of(environ)
    return fault


def test_an_empty_environment_gives_the_documented_defaults() -> None:
    settings = read_settings({})
    assert settings == Settings(
        repo_path=None,
        remote=None,
        remote_username="x-access-token",
        remote_token=None,
        branch=None,
        reload_secret=None,
        reload_secret_previous=None,
        poll_interval_s=0.0,
        invalid="reject",
        schema="warn",
        rewrite="refuse",
        mass_delete="hold",
        state_path=None,
        git_timeout_s=60.0,
        git_pack_bytes_max=2 << 30,
        github_secret=None,
        gitlab_token=None,
        gitlab_signing_token=None,
        gitea_secret=None,
        bitbucket_secret=None,
        azure_secret=None,
        standard_secret=None,
        notify_url=None,
        notify_secret=None,
        sentry_dsn=None,
        host="127.0.0.1",
        port=8080,
        cors_origins=("*",),
        allowed_hosts=(),
        trusted_proxies=(),
        failed_attempts_max=30,
        connections_per_peer_max=1024,
        query_wait_s=10.0,
        queries_per_peer_max=1024,
        attachment_bytes_max=1 << 30,
        attachment_files_bytes_max=1 << 30,
        log_format="",
        log_level="info",
        log_peers="on",
        warnings=(),
    )


def test_every_variable_is_read_into_its_setting(tmp_path: Path) -> None:
    plain = {
        "CFP_DATA_REPO_PATH": (str(tmp_path / "data.git"), "repo_path", tmp_path / "data.git"),
        "CFP_DATA_REMOTE": ("https://example.org/data.git", "remote", "https://example.org/data.git"),
        "CFP_DATA_REMOTE_USERNAME": ("deploy", "remote_username", "deploy"),
        "CFP_DATA_BRANCH": ("release/2.0", "branch", "release/2.0"),
        "CFP_DATA_POLL_INTERVAL": ("2.5", "poll_interval_s", 2.5),
        "CFP_DATA_INVALID": ("quarantine", "invalid", "quarantine"),
        "CFP_DATA_SCHEMA": ("enforce", "schema", "enforce"),
        "CFP_DATA_REWRITE": ("follow", "rewrite", "follow"),
        "CFP_DATA_STATE_PATH": (str(tmp_path / "state"), "state_path", tmp_path / "state"),
        "CFP_GIT_TIMEOUT": ("7", "git_timeout_s", 7.0),
        "CFP_GIT_PACK_BYTES_MAX": ("1048576", "git_pack_bytes_max", 1 << 20),
        "CFP_DATA_MASS_DELETE": ("allow", "mass_delete", "allow"),
        "CFP_NOTIFY_URL": ("https://example.org/hook", "notify_url", "https://example.org/hook"),
        "SENTRY_DSN": ("https://key@example.org/1", "sentry_dsn", "https://key@example.org/1"),
        "HOST": ("::1", "host", "::1"),
        "PORT": ("0", "port", 0),
        "CFP_CORS_ORIGINS": ("https://a.example", "cors_origins", ("https://a.example",)),
        "CFP_ALLOWED_HOSTS": ("a.example, ::1", "allowed_hosts", ("a.example", "[::1]")),
        "CFP_TRUSTED_PROXIES": (
            "10.0.0.7, fd00::/8",
            "trusted_proxies",
            (ip_network("10.0.0.7/32"), ip_network("fd00::/8")),
        ),
        "CFP_FAILED_ATTEMPTS": ("7", "failed_attempts_max", 7),
        "CFP_CONNECTIONS_PER_PEER": ("0", "connections_per_peer_max", 0),
        "CFP_QUERY_WAIT": ("2.5", "query_wait_s", 2.5),
        "CFP_QUERIES_PER_PEER": ("8", "queries_per_peer_max", 8),
        "CFP_ATTACHMENT_BYTES_MAX": ("2097152", "attachment_bytes_max", 2097152),
        "CFP_ATTACHMENT_FILES_BYTES_MAX": ("1048576", "attachment_files_bytes_max", 1048576),
        "CFP_LOG_FORMAT": ("console", "log_format", "console"),
        "CFP_LOG_LEVEL": ("debug", "log_level", "debug"),
        "CFP_LOG_PEERS": ("off", "log_peers", "off"),
    }
    secret = {
        "CFP_DATA_RELOAD_SECRET": "reload_secret",
        "CFP_DATA_RELOAD_SECRET_PREVIOUS": "reload_secret_previous",
        "CFP_GITHUB_WEBHOOK_SECRET": "github_secret",
        "CFP_GITLAB_WEBHOOK_TOKEN": "gitlab_token",
        "CFP_GITLAB_WEBHOOK_SIGNING_TOKEN": "gitlab_signing_token",
        "CFP_GITEA_WEBHOOK_SECRET": "gitea_secret",
        "CFP_BITBUCKET_WEBHOOK_SECRET": "bitbucket_secret",
        "CFP_AZURE_WEBHOOK_SECRET": "azure_secret",
        "CFP_STANDARD_WEBHOOK_SECRET": "standard_secret",
        "CFP_NOTIFY_SECRET": "notify_secret",
        "CFP_DATA_REMOTE_TOKEN": "remote_token",
    }
    assert {*plain, *secret} == {variable.name for variable in VARIABLES}

    values = {name: value for name, (value, _, _) in plain.items()}
    settings = read_settings(values | {name: f"{name}-{SECRET}" for name in secret})

    for name, (_, field, expected) in plain.items():
        assert getattr(settings, field) == expected, name
    for name, field in secret.items():
        assert getattr(settings, field).current() == f"{name}-{SECRET}".encode(), name
    assert len(settings.secrets) == len(secret)
    assert settings.warnings == ()


def test_the_state_lives_beside_the_repository_unless_told_otherwise(tmp_path: Path) -> None:
    settings = read_settings({"CFP_DATA_REPO_PATH": str(tmp_path / "data.git")})
    assert settings.state_path == tmp_path / "data.git.state"


def test_relative_paths_count_from_where_the_server_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = read_settings({"CFP_DATA_REPO_PATH": "data.git", "CFP_DATA_REMOTE": "up/stream"})
    assert settings.repo_path == tmp_path / "data.git"
    assert settings.remote == str(tmp_path / "up/stream")


def test_blanks_around_a_value_do_not_count_and_an_empty_value_counts_as_unset() -> None:
    settings = read_settings({"PORT": " 9000 ", "CFP_DATA_INVALID": "", "CFP_DATA_REMOTE": " "})
    assert (settings.port, settings.invalid, settings.remote) == (9000, "reject", None)


def test_all_faults_are_reported_at_once() -> None:
    environ = {
        "CFP_DATA_REMOTE": "ext::sh -c id",
        "CFP_DATA_POLL_INTERVAL": "-1",
        "CFP_DATA_INVALID": "maybe",
        "CFP_DATA_RELOAD_SECRET": "short",
        "CFP_DATA_RELAOD_SECRET": SECRET,
        "PORT": "http",
    }
    faults = faults_of(environ, "CFP_DATA_REPO_PATH")
    assert sorted(fault.split()[0] for fault in faults) == sorted([*environ, "CFP_DATA_REPO_PATH"])


def test_the_error_says_every_fault_on_a_line_of_its_own() -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({"PORT": "x", "CFP_DATA_INVALID": "y\nz"})
    assert str(caught.value).split("\n") == list(caught.value.faults)


def test_an_unknown_data_setting_is_refused_with_the_nearest_known_name() -> None:
    fault = only_fault_of({"CFP_DATA_RELOAD_SECRT": SECRET})
    assert "did you mean CFP_DATA_RELOAD_SECRET?" in fault
    assert SECRET not in fault
    assert "did you mean CFP_DATA_POLL_INTERVAL?" in only_fault_of({"CFP_DATA_POLL_INTERVALL": "5"})


def test_only_secrets_have_a_file_form() -> None:
    assert "did you mean CFP_DATA_BRANCH?" in only_fault_of({"CFP_DATA_BRANCH_FILE": "x"})


def test_another_unknown_setting_is_warned_about_and_foreign_ones_are_left_alone() -> None:
    settings = read_settings({"CFP_LOGLEVEL": "debug", "PATH": "/bin", "SOME_CFP_DATA_X": "1"})
    (warning,) = settings.warnings
    assert "CFP_LOGLEVEL" in warning
    assert "CFP_LOG_LEVEL" in warning


def test_what_serve_requires_is_a_fault_when_it_is_unset() -> None:
    for environ in ({}, {"CFP_DATA_REPO_PATH": ""}):
        (fault,) = faults_of(environ, "CFP_DATA_REPO_PATH")
        assert fault.startswith("CFP_DATA_REPO_PATH is not set; set it to the path of")


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("CFP_DATA_INVALID", "reject, quarantine"),
        ("CFP_DATA_SCHEMA", "off, warn, enforce"),
        ("CFP_DATA_REWRITE", "refuse, follow"),
        ("CFP_DATA_MASS_DELETE", "hold, allow"),
        ("CFP_LOG_FORMAT", "json, console"),
        ("CFP_LOG_LEVEL", "debug, info, warning, error, critical"),
    ],
)
def test_a_word_that_is_not_a_choice_is_refused_with_the_choices(name: str, choices: str) -> None:
    assert only_fault_of({name: "Other"}) == f"{name} is 'Other'; choose one of: {choices}"


@pytest.mark.parametrize("name", ["CFP_DATA_POLL_INTERVAL", "CFP_GIT_TIMEOUT"])
@pytest.mark.parametrize(
    "text", ["-1", "-0.5", "nan", "NaN", "inf", "1e3", "1_0", "٣", "5s", "0x10", "86401", "9" * 400]
)
def test_seconds_that_are_no_plain_number_are_refused(name: str, text: str) -> None:
    fault = only_fault_of({name: text})
    assert fault.startswith(f"{name} is ")
    assert "give seconds" in fault
    assert len(fault) < 200


def test_a_timeout_of_nothing_is_refused() -> None:
    assert only_fault_of({"CFP_GIT_TIMEOUT": "0"}).startswith("CFP_GIT_TIMEOUT is 0")


@pytest.mark.parametrize("text", ["0", "-1", "1048575", "2GiB", "1e9", "٣", "9" * 17])
def test_a_number_of_bytes_that_is_none_is_refused(text: str) -> None:
    fault = only_fault_of({"CFP_GIT_PACK_BYTES_MAX": text})
    assert "give bytes as a whole number from 1048576" in fault


@pytest.mark.parametrize("text", ["-1", "65536", "8080/tcp", "٨٠", "1e3", "80.0", "999999999"])
def test_a_port_that_is_none_is_refused(text: str) -> None:
    assert only_fault_of({"PORT": text}).startswith("PORT is ")


@pytest.mark.parametrize("text", ["0", "1", "65535"])
def test_every_port_is_accepted(text: str) -> None:
    assert read_settings({"PORT": text}).port == int(text)


@pytest.mark.parametrize(
    "text", ["http://localhost", "[::1]", "two words", "a\x1b[2J", "a..b", ".", "a" * 64]
)
def test_a_host_that_is_none_is_refused(text: str) -> None:
    assert only_fault_of({"HOST": text}).startswith("HOST is ")


def test_reports_without_a_signature_or_a_destination_are_warned_about() -> None:
    for environ in ({"CFP_NOTIFY_URL": "https://example.org/"}, {"CFP_NOTIFY_SECRET": SECRET}):
        (warning,) = read_settings(environ).warnings
        assert "CFP_NOTIFY_SECRET" in warning


def test_a_state_path_that_would_take_the_repository_with_it_is_refused(tmp_path: Path) -> None:
    repo = tmp_path / "data" / "repo.git"
    for state in (repo, repo.parent):
        fault = only_fault_of({"CFP_DATA_REPO_PATH": str(repo), "CFP_DATA_STATE_PATH": str(state)})
        assert fault.startswith("CFP_DATA_STATE_PATH ")


@pytest.mark.parametrize("name", ["CFP_DATA_REPO_PATH", "CFP_DATA_STATE_PATH"])
def test_a_path_where_no_folder_can_be_is_refused(name: str, tmp_path: Path) -> None:
    file, dangling = tmp_path / "file", tmp_path / "dangling"
    file.write_text("mine")
    dangling.symlink_to("nowhere")
    for given, named in ((file, file), (file / "below" / "it", file), (dangling, dangling)):
        fault = only_fault_of({name: str(given)})
        assert fault.startswith(f"{name} is ")
        assert f"{str(named)!r} is no folder" in fault


@pytest.mark.parametrize("text", ["/", "//", "..", "/tmp/.."])
def test_a_repository_without_a_name_of_its_own_is_refused(text: str) -> None:
    fault = only_fault_of({"CFP_DATA_REPO_PATH": text})
    assert fault.startswith("CFP_DATA_REPO_PATH ")
    assert "name of its own" in fault


def test_a_refused_address_names_its_variable() -> None:
    environ = {
        "CFP_DATA_REMOTE": "ext::sh -c id",
        "CFP_DATA_BRANCH": "refs/heads/main",
        "CFP_NOTIFY_URL": "example.org",
        "CFP_CORS_ORIGINS": "example.org",
    }
    faults = faults_of(environ)
    assert [fault.split()[0] for fault in faults] == list(environ)


def test_an_empty_list_of_origins_closes_what_the_default_opens() -> None:
    assert read_settings({"CFP_CORS_ORIGINS": ""}).cors_origins == ()


# Secrets


@pytest.mark.parametrize("variable", [v for v in VARIABLES if v.secret], ids=lambda v: v.name)
def test_a_secret_that_is_empty_or_too_short_is_refused(variable: Variable) -> None:
    partner = {"CFP_DATA_RELOAD_SECRET": SECRET}
    for value in ("", "x" * (variable.characters_min - 1)):
        fault = only_fault_of(partner | {variable.name: value})
        assert fault.startswith(f"{variable.name} is ")
        assert f"at least {variable.characters_min} characters" in fault
    read_settings(partner | {variable.name: "x" * variable.characters_min})


def test_a_secret_is_shown_nowhere(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(OTHER)
    environ = {"CFP_DATA_RELOAD_SECRET": SECRET, "CFP_GITHUB_WEBHOOK_SECRET_FILE": str(file)}
    settings = read_settings(environ)
    for text in (repr(settings), str(settings), f"{settings.reload_secret}"):
        assert SECRET not in text
        assert OTHER not in text


def test_a_previous_secret_needs_one_that_replaces_it() -> None:
    fault = only_fault_of({"CFP_DATA_RELOAD_SECRET_PREVIOUS": SECRET})
    assert "without CFP_DATA_RELOAD_SECRET" in fault
    # A fault in the one is no reason to complain about the other.
    environ = {"CFP_DATA_RELOAD_SECRET": "x", "CFP_DATA_RELOAD_SECRET_PREVIOUS": SECRET}
    assert only_fault_of(environ).startswith("CFP_DATA_RELOAD_SECRET is too short")


def test_both_forms_of_one_secret_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET)
    environ = {"CFP_NOTIFY_SECRET": SECRET, "CFP_NOTIFY_SECRET_FILE": str(file)}
    assert only_fault_of(environ) == (
        "CFP_NOTIFY_SECRET and CFP_NOTIFY_SECRET_FILE are both set; unset one of them"
    )


def test_a_secret_file_that_cannot_be_used_is_refused_by_name(tmp_path: Path) -> None:
    empty, short, large = tmp_path / "empty", tmp_path / "short", tmp_path / "large"
    empty.write_text("\n")
    short.write_text("hunter2\n")
    large.write_text("x" * 100_000)
    for path in (tmp_path / "missing", tmp_path, empty, short, large, Path("/dev/zero")):
        fault = only_fault_of({"CFP_DATA_RELOAD_SECRET_FILE": str(path)})
        assert fault.startswith("CFP_DATA_RELOAD_SECRET_FILE ")
        assert "hunter2" not in fault


def test_a_withdrawn_secret_matches_nothing_any_more(tmp_path: Path) -> None:
    file = tmp_path / "previous"
    file.write_text(SECRET)
    environ = {"CFP_DATA_RELOAD_SECRET": OTHER, "CFP_DATA_RELOAD_SECRET_PREVIOUS_FILE": str(file)}
    previous = read_settings(environ).reload_secret_previous
    assert previous is not None
    assert previous.current() == SECRET.encode()
    for withdraw in (lambda: file.write_text(""), file.unlink):
        withdraw()
        assert previous.current() not in (b"", SECRET.encode())
    file.write_text(SECRET)
    assert previous.current() == SECRET.encode()


@pytest.mark.parametrize("name", ["CFP_FAILED_ATTEMPTS", "CFP_CONNECTIONS_PER_PEER", "CFP_QUERIES_PER_PEER"])
@pytest.mark.parametrize("text", ["-1", "1.5", "1e3", "٣", "1000001", "9" * 400, "many"])
def test_a_count_that_is_none_is_refused(name: str, text: str) -> None:
    assert only_fault_of({name: text}).startswith(f"{name} is ")


@pytest.mark.parametrize("text", ["10.0.0.0/8 nginx", "10.0.0.1/8", "300.1.1.1", "*"])
def test_a_proxy_without_an_address_is_refused(text: str) -> None:
    assert only_fault_of({"CFP_TRUSTED_PROXIES": text}).startswith("CFP_TRUSTED_PROXIES has something else")


def test_a_token_is_for_the_host_of_a_web_address_only() -> None:
    token = {"CFP_DATA_REMOTE_TOKEN": "glpat-0123456789abcdef"}
    for remote in (
        {},
        {"CFP_DATA_REMOTE": "git@host.example:data.git"},
        {"CFP_DATA_REMOTE": "/srv/data.git"},
    ):
        settings = read_settings(token | remote)
        assert settings.remote_credential is None
        assert "no effect" in settings.warnings[0]
    settings = read_settings(token | {"CFP_DATA_REMOTE": "https://host.example/data.git"})
    assert settings.remote_credential is not None
    assert settings.remote_credential.environment().keys() == {
        "LIVESHEETS_REMOTE_USERNAME",
        "LIVESHEETS_REMOTE_TOKEN",
    }
    assert (settings.warnings, read_settings({}).remote_credential) == ((), None)
    assert "glpat" not in repr(settings)
    (warning,) = read_settings(token | {"CFP_DATA_REMOTE": "http://host.example/data.git"}).warnings
    assert "not encrypted" in warning
    assert "CFP_DATA_REMOTE_USERNAME" in only_fault_of({"CFP_DATA_REMOTE_USERNAME": "ada:secret"})
