"""What the how-to pages tell people to paste does what they say, against a real server."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from server.auth.signatures import TOLERANCE_S
from server.operations.notifications.notify import TYPES
from server.settings.settings import read_settings
from server.settings.variables import KNOWN
from server.webhook.handler import BODY_BYTES_MAX, FORGE_BYTES_MAX
from tests.docs.pages import ROOT, Block, blocks, codes, page, rows, section
from tests.docs.running import Demo, run_shell, running_demo
from tests.docs.test_examples import shape

RECORD = "projects/food-access-map.toml"


@pytest.fixture(scope="module")
def own_demo(tmp_path_factory: pytest.TempPathFactory, _isolated_git: None) -> Iterator[Demo]:
    """A demo whose data the tests of this file change."""
    with running_demo(tmp_path_factory.mktemp("how-to") / "demo-data") as running:
        yield running


def block_with(name: str, text: str) -> Block:
    (found,) = (block for block in blocks(name) if text in block.text)
    return found


def push_change(demo: Demo, value: int) -> str:
    """Push a change of one record; the commit."""
    script = f"""
        git config user.name Ada && git config user.email ada@example.org &&
        sed -i 's/^volunteers = .*/volunteers = {value}/' {RECORD} &&
        git commit -q -a -m change && git push -q origin HEAD:main && git rev-parse HEAD
    """
    return run_shell(script, demo.folder / "workdir").strip()


def served(demo: Demo) -> str:
    return str(demo.call("/api")[1]["meta"]["commit"])


def test_the_workflow_serves_the_commit_that_was_pushed(own_demo: Demo, tmp_path: Path) -> None:
    workflow = yaml.safe_load(block_with("docs/how-to/webhook.md", "github.sha").text)
    job = workflow["jobs"]["reload"]
    (step,) = job["steps"]
    assert set(step["env"]) == set(re.findall(r"\$([A-Z]+)", step["run"]))
    assert "${{" not in step["run"], "values must come through the environment"
    commit = push_change(own_demo, 41)
    variables = {"TARGET": own_demo.url, "SECRET": own_demo.secret, "BRANCH": "main", "COMMIT": commit}
    answer = json.loads(run_shell(step["run"], tmp_path, **variables))
    assert (answer["outcome"], answer["newCommit"], served(own_demo)) == ("fast-forwarded", commit, commit)
    assert_documented(answer)


def assert_documented(answer: dict[str, object]) -> None:
    """The reference shows an answer of the same shape; sheets differ from case to case."""
    shown = json.loads(block_with("docs/reference/http.md", '"outcome": "fast-forwarded",\n  "no').text)
    assert shape(answer | {"changes": {}}) == shape(shown | {"changes": {}})


def test_the_workflow_fails_where_the_commit_is_not_served(own_demo: Demo, tmp_path: Path) -> None:
    workflow = yaml.safe_load(block_with("docs/how-to/webhook.md", "github.sha").text)
    script = workflow["jobs"]["reload"]["steps"][0]["run"]
    variables = {"TARGET": own_demo.url, "SECRET": "wrong" * 8, "BRANCH": "main", "COMMIT": served(own_demo)}
    output = run_shell(f"{script.strip()}\necho status $?", tmp_path, **variables)
    assert "401" in output
    assert output.strip().endswith("status 22")


def test_the_gitlab_job_serves_the_commit_that_was_pushed(own_demo: Demo, tmp_path: Path) -> None:
    job = yaml.safe_load(block_with("docs/how-to/webhook.md", "CI_COMMIT_SHA").text)["reload"]
    commit = push_change(own_demo, 42)
    variables = {
        "TARGET": own_demo.url,
        "LIVESHEETS_RELOAD_SECRET": own_demo.secret,
        "CI_COMMIT_BRANCH": "main",
        "CI_COMMIT_SHA": commit,
    }
    answer = json.loads(run_shell("\n".join(job["script"]), tmp_path, **variables))
    assert answer["newCommit"] == served(own_demo) == commit


def test_the_git_hook_serves_what_is_pushed_and_tells_the_pusher(own_demo: Demo) -> None:
    text = block_with("docs/how-to/webhook.md", "#!/bin/sh").text
    text = text.replace("http://127.0.0.1:8080", own_demo.url)
    text = text.replace("/etc/livesheets/reload-secret", str(own_demo.folder / "secret"))
    hook = own_demo.folder / "remote.git" / "hooks" / "post-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(text)
    hook.chmod(0o755)
    try:
        script = f"""
            git config user.name Ada && git config user.email ada@example.org
            sed -i 's/^volunteers = .*/volunteers = 43/' {RECORD}
            git commit -q -a -m change && git push origin HEAD:main HEAD:refs/heads/other 2>&1
            git rev-parse HEAD
        """
        output = run_shell(script, own_demo.folder / "workdir")
    finally:
        hook.unlink()
    assert output.count('"outcome":"fast-forwarded"') == 1
    assert output.split()[-1] == served(own_demo)


def test_the_procfile_shown_is_the_one_that_is_here() -> None:
    shown = block_with("docs/how-to/deploy.md", "web: ").text
    assert shown == (ROOT / "Procfile").read_text("utf-8")


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "docs/how-to").glob("*.md")))
def test_every_variable_named_in_a_how_to_exists(name: str) -> None:
    known = {form for variable in KNOWN.values() for form in variable.names}
    mentioned = set(re.findall(r"\bCFP_[A-Z_]*[A-Z]\b", page(f"docs/how-to/{name}")))
    assert mentioned <= known


def test_the_settings_of_the_unit_file_are_understood(tmp_path: Path) -> None:
    unit = block_with("docs/how-to/deploy.md", "[Service]").text
    values = dict(re.findall(r"^Environment=(\w+)=(.*)$", unit, re.MULTILINE))
    secret = tmp_path / "secret"
    secret.write_text("s" * 64)
    read = read_settings(values | {"CFP_DATA_RELOAD_SECRET_FILE": str(secret)}, ("CFP_DATA_REPO_PATH",))
    assert read.warnings == ()


def test_the_settings_in_the_tables_of_serving_are_understood() -> None:
    text = page("docs/how-to/serve-your-repository.md")
    values = dict(re.findall(r"`(CFP_\w+)=([\w.]+)`", text))
    assert len(values) == 5
    read_settings(values)


def test_a_secret_rotates_as_described(own_demo: Demo, tmp_path: Path) -> None:
    steps = [
        block.text for block in blocks("docs/how-to/rotate-secrets.md") if "/etc/livesheets" in block.text
    ]
    script = "".join(steps[1:]).replace("/etc/livesheets", str(tmp_path))
    (tmp_path / "reload-secret").write_text("the old secret of thirty-two characters\n")
    output = run_shell(f"set -e\n{script}\nls {tmp_path}", tmp_path)
    assert output.split() == ["reload-secret", "reload-secret-previous"]
    assert len((tmp_path / "reload-secret").read_text()) == 65
    assert (tmp_path / "reload-secret-previous").read_text() == ""


def test_the_check_shown_finds_what_is_wrong_with_a_commit(own_demo: Demo, tmp_path: Path) -> None:
    workflow = yaml.safe_load(block_with("docs/how-to/check-in-ci.md", "BASE: ").text)
    command = workflow["jobs"]["livesheets"]["steps"][-1]["run"]
    subprocess.run(
        ["git", "clone", "-q", str(own_demo.folder / "remote.git"), "clone"], cwd=tmp_path, check=True
    )
    assert run_shell(f"{command}\necho status $?", tmp_path / "clone").strip().endswith("status 0")
    break_it = f"""
        git config user.name Ada && git config user.email ada@example.org
        echo 'broken = ' >> {RECORD} && git commit -q -a -m broken
    """
    output = run_shell(f"{break_it}\n{command}\necho status $?", tmp_path / "clone", BASE="main")
    assert re.search(rf"^{RECORD}:\d+: ", output, re.MULTILINE)
    assert output.strip().endswith("status 1")


def test_the_hook_shown_refuses_a_push_that_the_server_would_refuse(own_demo: Demo, tmp_path: Path) -> None:
    remote = tmp_path / "remote.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(own_demo.folder / "remote.git"), remote], check=True)
    hook = remote / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(block_with("docs/how-to/check-in-ci.md", "--ref").text)
    hook.chmod(0o755)
    output = run_shell(
        f"""
        git clone -q {remote} clone && cd clone
        git config user.name Ada && git config user.email ada@example.org
        echo 'good = 1' >> {RECORD} && git commit -q -a -m good
        git push -q origin HEAD:main; echo status $?
        git push -q origin HEAD:other && git push -q origin :other; echo status $?
        echo 'broken = ' >> {RECORD} && git commit -q -a -m broken
        git push -q origin HEAD:main; echo status $?
        """,
        tmp_path,
    )
    assert re.findall(r"^status \d+$", output, re.MULTILINE) == ["status 0", "status 0", "status 1"], output
    assert re.search(rf"^remote: {RECORD}:\d+: ", output, re.MULTILINE)
    assert "can be served" in output


def test_the_reports_described_are_the_ones_that_are_sent() -> None:
    table = section(page("docs/how-to/monitor.md"), "Notifications")
    assert {codes(row[0])[0] for row in rows(table)} == set(TYPES)


def test_the_log_lines_to_look_for_exist() -> None:
    table = section(page("docs/how-to/monitor.md"), "Logs")
    known = {codes(row[0])[0] for row in rows(page("docs/reference/log-events.md"))}
    assert {codes(row[0])[0] for row in rows(table)} <= known


def test_the_table_of_forges_names_headers_and_settings_that_exist() -> None:
    table = section(page("docs/reference/http.md"), "Deliveries of forges")
    named = {code.partition(":")[0] for row in rows(table) if len(row) == 4 for code in codes(" ".join(row))}
    files = ("forges.py", "credentials.py")
    source = "".join((ROOT / "server" / "auth" / name).read_text() for name in files)
    assert [name for name in named if name not in KNOWN and f'"{name}"' not in source] == []
    assert {name for name in KNOWN if "_WEBHOOK_" in name} == {name for name in named if name in KNOWN}
    assert f"at most {TOLERANCE_S} seconds old" in table


def test_the_sizes_of_bodies_are_the_real_ones() -> None:
    row = next(row for row in rows(page("docs/reference/http.md")) if row[0] == "`payload-too-large`")
    assert f"more than {BODY_BYTES_MAX >> 10} KiB" in row[2]
    assert f"more than {FORGE_BYTES_MAX >> 20} MiB" in row[2]
