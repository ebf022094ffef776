"""The doctor names what is wrong and what fixes it, and changes nothing while it looks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reload.repository.directory_lock import DirectoryLock
from server.commands.doctor.doctor import examine
from server.commands.doctor.findings import Finding
from tests.end_to_end.server_process import PROJECT, run_command
from tests.gitrepo import GitRepo, run_git
from tests.reload.hosts import SilentHost

SECRET = "a-secret-for-the-doctor-0123456789abcdef"
NOBODY = 65_534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for several users")


@pytest.fixture
def remote(tmp_git: Callable[..., GitRepo]) -> GitRepo:
    made = tmp_git("remote")
    made.write({"people/jane.toml": 'name = "Jane"\n'})
    made.commit()
    return made


@pytest.fixture
def environ(tmp_path: Path, remote: GitRepo) -> dict[str, str]:
    """Settings that nothing is wrong with."""
    return {
        "CFP_DATA_REPO_PATH": str(tmp_path / "data.git"),
        "CFP_DATA_REMOTE": str(remote.path),
        "CFP_DATA_RELOAD_SECRET": SECRET,
        "CFP_DATA_POLL_INTERVAL": "300",
    }


def faults(environ: dict[str, str]) -> list[Finding]:
    return [finding for finding in examine(environ) if not finding.ok]


def only_fault(environ: dict[str, str]) -> Finding:
    (fault,) = faults(environ)
    assert fault.remedy
    return fault


def of(environ: dict[str, str], subject: str) -> list[Finding]:
    return [finding for finding in examine(environ) if finding.subject == subject]


def cloned(environ: dict[str, str], remote: GitRepo) -> Path:
    return remote.bare_clone(Path(environ["CFP_DATA_REPO_PATH"]))


def tree_of(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in folder.rglob("*")}


def test_a_good_set_up_has_no_faults_and_stays_as_it_was(
    environ: dict[str, str], remote: GitRepo, tmp_path: Path
) -> None:
    before = tree_of(tmp_path)
    assert faults(environ) == []
    assert tree_of(tmp_path) == before
    cloned(environ, remote)
    before = tree_of(tmp_path)
    assert faults(environ) == []
    assert tree_of(tmp_path) == before


def test_everything_looked_at_is_told(environ: dict[str, str], remote: GitRepo) -> None:
    cloned(environ, remote)
    subjects = {finding.subject for finding in examine(environ)}
    assert subjects >= {"git", "sqlite", "settings", "webhook", "repository folder", "state folder", "disk",
                        "server", "repository", "remote"}  # fmt: skip
    assert remote.rev()[:12] in of(environ, "remote")[0].detail
    assert remote.rev()[:12] in of(environ, "repository")[0].detail


def test_every_fault_of_the_settings_is_told_and_no_secret() -> None:
    found = faults({"CFP_DATA_RELOAD_SECRET": "hunter2", "CFP_DATA_BRANSH": "main"})
    assert all(finding.configuration for finding in found)
    told = " ".join(finding.detail for finding in found)
    assert "hunter2" not in told
    for name in ("CFP_DATA_REPO_PATH", "CFP_DATA_RELOAD_SECRET", "CFP_DATA_BRANCH"):
        assert name in told


def test_what_is_well_but_could_be_better_comes_with_advice(environ: dict[str, str]) -> None:
    del environ["CFP_DATA_RELOAD_SECRET"], environ["CFP_DATA_POLL_INTERVAL"]
    advice = {
        finding.subject: finding.remedy for finding in examine(environ) if finding.ok and finding.remedy
    }
    assert "CFP_DATA_RELOAD_SECRET" in advice["webhook"]
    assert "CFP_DATA_POLL_INTERVAL" in advice["polling"]


def test_the_file_of_a_secret_that_everybody_may_read_is_a_fault(
    environ: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET)
    file.chmod(0o644)
    del environ["CFP_DATA_RELOAD_SECRET"]
    environ["CFP_DATA_RELOAD_SECRET_FILE"] = str(file)
    assert only_fault(environ).remedy == f"chmod o-rwx {file}"
    file.chmod(0o600)
    assert faults(environ) == []


def test_the_server_that_has_the_data_is_named(environ: dict[str, str], remote: GitRepo) -> None:
    lock = DirectoryLock(cloned(environ, remote))
    try:
        assert str(os.getpid()) in of(environ, "server")[0].detail
    finally:
        lock.release()
    assert "none" in of(environ, "server")[0].detail


# -- the repository ----------------------------------------------------------------------------------


def test_a_shallow_clone_is_told_with_what_mends_it(environ: dict[str, str], remote: GitRepo) -> None:
    remote.commit("another")
    path = Path(environ["CFP_DATA_REPO_PATH"])
    run_git(path.parent, "clone", "-q", "--bare", "--depth=1", f"file://{remote.path}", str(path))
    assert "shallow" in only_fault(environ).detail
    run_git(path, *only_fault(environ).remedy.partition(" (")[0].split()[3:])
    assert faults(environ) == []


def test_objects_that_are_borrowed_from_nowhere_are_told(environ: dict[str, str], remote: GitRepo) -> None:
    path = cloned(environ, remote)
    (path / "objects" / "info").mkdir(exist_ok=True)
    (path / "objects" / "info" / "alternates").write_text("/nowhere/objects\n")
    assert "/nowhere/objects" in only_fault(environ).detail


def test_a_damaged_repository_is_told(environ: dict[str, str], remote: GitRepo) -> None:
    path = cloned(environ, remote)
    tree = run_git(path, "rev-parse", "main:people").decode().strip()
    loose = path / "objects" / tree[:2] / tree[2:]
    loose.chmod(0o644)
    loose.unlink()
    assert "damaged" in only_fault(environ).detail


@pytest.mark.parametrize("kind", ["working tree", "other files", "nothing to clone from"])
def test_a_path_that_cannot_become_the_repository_is_a_fault_of_the_settings(
    environ: dict[str, str], tmp_path: Path, remote: GitRepo, kind: str
) -> None:
    if kind == "working tree":
        environ["CFP_DATA_REPO_PATH"] = str(remote.path)
    elif kind == "other files":
        (tmp_path / "data.git").mkdir()
        (tmp_path / "data.git" / "notes.txt").write_text("mine")
    else:
        del environ["CFP_DATA_REMOTE"]
    assert only_fault(environ).configuration


# -- the remote --------------------------------------------------------------------------------------


def test_a_branch_that_the_remote_lacks_is_told(environ: dict[str, str]) -> None:
    environ["CFP_DATA_BRANCH"] = "elsewhere"
    fault = only_fault(environ)
    assert "branch elsewhere" in fault.detail
    assert "CFP_DATA_BRANCH" in fault.remedy


def test_a_remote_that_is_not_there_is_told(environ: dict[str, str], tmp_path: Path) -> None:
    environ["CFP_DATA_REMOTE"] = str(tmp_path / "nowhere.git")
    fault = only_fault(environ)
    assert "(not-found)" in fault.detail
    assert "CFP_DATA_REMOTE" in fault.remedy


def test_a_remote_that_stays_silent_is_given_up(environ: dict[str, str]) -> None:
    with SilentHost() as host:
        environ |= {"CFP_DATA_REMOTE": host.url, "CFP_GIT_TIMEOUT": "0.3"}
        assert "CFP_GIT_TIMEOUT" in only_fault(environ).remedy


@as_root
def test_a_remote_of_another_user_is_told_with_both_users_and_what_mends_it(
    environ: dict[str, str], remote: GitRepo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for place in (remote.path, remote.git_dir):
        os.chown(place, 12_345, 12_345)
    fault = only_fault(environ)
    for words in (str(remote.path), "uid 12345", "uid 0"):
        assert words in fault.detail
    command = fault.remedy.partition(": ")[2].split()
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    subprocess.run(command, check=True)
    assert faults(environ) == []


# -- folders -----------------------------------------------------------------------------------------


# Whoever runs the tests may keep Python where nobody else gets it from, so it is started before the change.
_AS_NOBODY = f"""
import os
from server.commands.doctor.doctor import examine
examine(os.environ)
os.setgroups([])
os.setgid({NOBODY})
os.setuid({NOBODY})
for finding in examine(os.environ):
    print(finding.subject, finding.detail, finding.remedy, sep=": ")
"""


def run_as_nobody(environ: dict[str, str]) -> str:
    """What the doctor finds for a user who owns nothing."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CFP_")}
    done = subprocess.run(
        [sys.executable, "-c", _AS_NOBODY],
        cwd=PROJECT,
        env=inherited | {"HOME": "/nonexistent"} | environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done
    return done.stdout


@pytest.fixture
def reachable(tmp_path: Path) -> Path:
    """The test's folder, which other users may look into."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    return tmp_path


@as_root
def test_a_folder_of_another_user_is_told_with_path_users_and_what_mends_it(
    environ: dict[str, str], remote: GitRepo, reachable: Path
) -> None:
    path = cloned(environ, remote)
    told = run_as_nobody(environ)
    assert f"{path} cannot be written to: it belongs to uid 0" in told
    assert f"this is uid {NOBODY}" in told
    assert f"chown -R {NOBODY} {path}" in told


@as_root
def test_a_folder_inside_that_another_user_made_is_found(
    environ: dict[str, str], remote: GitRepo, reachable: Path
) -> None:
    path = cloned(environ, remote)
    state = Path(f"{path}.state")
    state.mkdir()
    for place in (reachable, state, path, *path.rglob("*")):
        os.chown(place, NOBODY, NOBODY)
    (path / "objects" / "ab").mkdir(exist_ok=True)
    os.chown(path / "objects" / "ab", 0, 0)
    assert f"{path / 'objects' / 'ab'} cannot be written to" in run_as_nobody(environ)


@as_root
def test_a_repository_that_may_not_be_looked_into_is_told_and_the_rest_is_looked_at(
    environ: dict[str, str], remote: GitRepo, reachable: Path
) -> None:
    path = cloned(environ, remote)
    path.chmod(0o700)
    told = run_as_nobody(environ)
    assert f"repository: {path / 'HEAD'} cannot be looked at: Permission denied" in told
    for subject in ("git", "settings", "repository folder", "state folder", "disk", "server", "remote"):
        assert f"\n{subject}: " in f"\n{told}"


@pytest.mark.parametrize("name", ["CFP_DATA_REPO_PATH", "CFP_DATA_STATE_PATH"])
def test_a_file_where_a_folder_is_needed_is_a_fault_of_the_settings(
    environ: dict[str, str], tmp_path: Path, name: str
) -> None:
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        (fault,) = faults(environ | {name: str(path)})
        assert fault.configuration
        assert name in fault.detail
        assert "no folder" in fault.detail


def test_a_folder_that_everybody_may_write_to_is_a_fault(environ: dict[str, str], remote: GitRepo) -> None:
    path = cloned(environ, remote)
    path.chmod(0o777)
    fault = only_fault(environ)
    assert "everybody" in fault.detail
    assert f"chmod -R o-w {path}" in fault.remedy


@as_root
def test_a_read_only_file_system_is_told(environ: dict[str, str], tmp_path: Path) -> None:
    place = tmp_path / "read-only"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("nothing can be mounted here")
    try:
        environ["CFP_DATA_REPO_PATH"] = str(place / "data.git")
        told = faults(environ)
        assert {finding.subject for finding in told} == {"repository folder", "state folder"}
        assert "read-only file system" in told[0].detail
    finally:
        subprocess.run(["umount", str(place)], check=True)


# -- the command -------------------------------------------------------------------------------------


def test_the_exit_status_tells_faults_of_the_settings_from_others(
    environ: dict[str, str], tmp_path: Path
) -> None:
    assert run_command("doctor", **environ).returncode == 0
    gone = environ | {"CFP_DATA_REMOTE": str(tmp_path / "nowhere.git")}
    done = run_command("doctor", **gone)
    assert done.returncode == 1
    assert "fault remote: " in done.stdout
    assert run_command("doctor", **environ, CFP_DATA_BRANSH="x").returncode == 78


def test_without_git_the_doctor_says_so(environ: dict[str, str], tmp_path: Path) -> None:
    done = run_command("doctor", **environ, PATH=str(tmp_path))
    assert done.returncode == 1
    assert "fault git: not found" in done.stdout
    assert "Traceback" not in done.stderr
