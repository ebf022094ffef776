"""What git, ssh and curl print when a fetch fails has a stable reason, and the line that says why."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from reload.repository.command import GitFailed
from reload.repository.fetch_failure import fetch_failure

_SSH_ENDS = """fatal: Could not read from remote repository.

Please make sure you have the correct access rights
and the repository exists."""
_CHANGED = """@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
Host key for git.example.org has changed and you have requested strict checking.
Host key verification failed."""
_UNKNOWN = """No ED25519 host key is known for git.example.org and you have requested strict checking.
Host key verification failed."""
_PASSPHRASE = """Load key "/home/data/.ssh/id_ed25519": incorrect passphrase supplied to decrypt private key
git@git.example.org: Permission denied (publickey)."""
_PRUNED = """error: unable to write file /d/objects/pack/pack-97e0.pack: No such file or directory
fatal: unable to rename temporary '*.pack' file to '/d/objects/pack/pack-97e0.pack'"""
_FSCK = "error: object 30f5f37caf77641b61ae14aaf4051fd16524e695: treeNotSorted: not properly sorted"


@pytest.mark.parametrize(
    ("words", "reason", "told"),
    [
        (f"{_CHANGED}\n{_SSH_ENDS}", "host-key-changed", "Host key verification failed"),
        (f"{_UNKNOWN}\n{_SSH_ENDS}", "host-key-changed", "Host key verification failed"),
        (f"{_PASSPHRASE}\n{_SSH_ENDS}", "auth-failed", "Permission denied (publickey)"),
        (f"ERROR: Repository not found.\n{_SSH_ENDS}", "not-found", "Repository not found"),
        (
            f"kex_exchange_identification: Connection closed by remote host\n{_SSH_ENDS}",
            "unreachable",
            "kex_exchange_identification: Connection closed by remote host",
        ),
        (
            f"ssh: Could not resolve hostname git.example.org: Name or service not known\n{_SSH_ENDS}",
            "unreachable",
            "ssh: Could not resolve hostname git.example.org",
        ),
        (
            f"ssh: connect to host git.example.org port 22: Connection refused\n{_SSH_ENDS}",
            "unreachable",
            "ssh: connect to host git.example.org port 22: Connection refused",
        ),
        (_SSH_ENDS, "unreachable", "Could not read from remote repository"),
        ("fatal: unable to access 'https://h/': SSL certificate problem: expired", "unreachable", "expired"),
        ("fatal: unable to access 'https://h/': The requested URL returned error: 503", "host-error", "503"),
        ("remote: Repository not found.\nfatal: the remote end hung up", "not-found", "not found"),
        ("remote: fatal: No space left on device\nfatal: early EOF", "unreachable", "early EOF"),
        ("fatal: write error: No space left on device\nfatal: index-pack failed", "disk-full", "free some"),
        ("error: unable to write file: Disk quota exceeded", "disk-full", "free some"),
        (
            f"error: index-pack died of signal {int(signal.SIGXFSZ)}\nfatal: index-pack failed",
            "too-large",
            "larger than is allowed",
        ),
        ("fatal: write error: File too large\nfatal: index-pack failed", "too-large", "larger"),
        (f"{_FSCK}\nfatal: fsck error in packed object", "object-refused", "30f5f37caf77641b"),
        ("fatal: fsck error in pack objects", "object-refused", "git fsck"),
        (
            "error: cannot lock ref 'refs/x': Unable to create '/d/refs/x.lock': Permission denied",
            "not-writable",
            "/d/refs/x.lock",
        ),
        (
            "fatal: cannot open packfile '/objects/pack/tmp_pack_G9' for reading: No such file or directory\n"
            "fatal: fetch-pack: invalid index-pack output",
            "pruned",
            "tmp_pack_G9",
        ),
        (f"{_PRUNED}\nfatal: index-pack failed", "pruned", "git gc --prune=now"),
        ("fatal: unable to create temporary file: Read-only file system", "not-writable", "Read-only"),
        ("", "unreachable", "status 128"),
    ],
)
def test_words_have_a_reason_and_the_line_that_tells(words: str, reason: str, told: str) -> None:
    failure = fetch_failure(GitFailed("fetch", 128, words))
    assert failure.reason == reason
    assert told in str(failure)
    assert "\n" not in str(failure) or not words


def test_a_git_that_was_killed_says_so() -> None:
    assert fetch_failure(GitFailed("fetch", -signal.SIGKILL, "")).reason == "killed"


def test_a_repository_of_another_user_is_told_with_both_users_and_what_mends_it(tmp_path: Path) -> None:
    words = f"fatal: detected dubious ownership in repository at '{tmp_path}'\nTo add an exception, call:"
    failure = fetch_failure(GitFailed("fetch", 128, words))
    assert failure.reason == "untrusted-owner"
    assert f"belongs to uid {tmp_path.stat().st_uid}" in str(failure)
    assert f"git config --global --add safe.directory {tmp_path}" in str(failure)
    gone = fetch_failure(GitFailed("fetch", 128, words.replace(str(tmp_path), f"{tmp_path}/gone")))
    assert "belongs to another user" in str(gone)
