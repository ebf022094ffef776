"""Path templates: the shapes that gitsheets gives them, without evaluating what is written in them."""

from __future__ import annotations

from pathlib import Path

import gitsheets
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reload.records.template import TemplateError, parse_template
from tests.gitrepo import GitRepo, read_tree
from tests.reload.engine import examples, sheet_of

_NAMES = ("a", "b", "people", "é", "x.y", ".h", "c.toml", "2024", "01")
# Of each kind of component one; a random path of them is a template.
_COMPONENTS = (
    *("${{ slug }}", "${{slug}}", "${{ a.b }}", "x-${{ slug }}", "${{ a }}-${{ b }}", "${{ a / b }}"),
    *("a", "people", "é", "x.y", "${{ d: YYYY }}", "${{ d.e: YYYY/MM }}", "${{ d :YYYY/MM/DD }}"),
    *("${{ d: YYYY/WW }}", "${{ path/** }}", "${{ a-b/** }}", "${{ a ? 'x' : 'y' }}", ""),
)
_REFUSED = ("${{ d: MM }}", "x${{ d: YYYY }}", "x${{ path/** }}", "${{ open", "}}", "${{ a }}${{ b/** }}")
_ROOTS = ("", ".", "people", "./a/", "a//b", "nowhere", "/people")


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, list[str]]:
    """A repository with files at every depth: its folder, the commit, and the paths of its files."""
    folders = ["", *_NAMES[:5], *(f"{a}/{b}" for a in _NAMES[:4] for b in _NAMES[2:7]), "a/b/2024/01"]
    folders += ["people/2024/01/02", "é/c.toml", "x.y/a/b/a/b"]
    files = {
        f"{folder}/{name}.{ending}".removeprefix("/"): "n = 1\n"
        for folder in folders
        for name, ending in (("a", "toml"), ("é", "toml"), ("b.c", "toml"), ("01", "md"), ("a", "txt"))
    }
    repo = GitRepo.create(tmp_path_factory.mktemp("places") / "repository")
    repo.write(files)
    commit = repo.commit()
    return repo.git_dir, commit, list(read_tree(repo.git_dir, commit))


def records_of(root: str, template: str, paths: list[str]) -> list[str] | None:
    """The records that a sheet reads among these files, None where its definition is refused."""
    try:
        parse_template(template)
    except TemplateError:
        return None
    sheet = sheet_of(f'[gitsheet]\nroot = "{root}"\npath = "{template}"\n')
    files = [path[len(sheet.prefix) :] for path in paths if path.startswith(sheet.prefix)]
    found = [sheet.place(file, files.__contains__) for file in files]
    return sorted(each.record for each in found if each and each.record and each.attachment is None)


def expected_of(git_dir: Path, commit: str, root: str, template: str) -> list[str] | None:
    """The records that gitsheets reads, None where it refuses the template."""
    try:
        found = gitsheets.record_query(str(git_dir), commit, root, template, {}, ".toml")
    except (gitsheets.PathTemplateError, gitsheets.ConfigError):
        return None
    return sorted(each["path"] for each in found)


@settings(max_examples=examples(400))
@given(
    root=st.sampled_from(_ROOTS),
    components=st.lists(st.sampled_from(_COMPONENTS), min_size=1, max_size=4),
    odd=st.sampled_from(("",) * 8 + _REFUSED),
)
def test_a_template_finds_the_files_that_gitsheets_finds(
    places: tuple[Path, str, list[str]], root: str, components: list[str], odd: str
) -> None:
    git_dir, commit, paths = places
    template = "/".join([*components, odd] if odd else components)
    assert records_of(root, template, paths) == expected_of(git_dir, commit, root, template)


@pytest.mark.parametrize(
    ("source", "levels", "recursive"),
    [
        ("${{ slug }}", (None,), False),
        ("people/${{ slug }}", ("people", None), False),
        ("/${{ team }}/x-${{ slug }}/", (None, None), False),
        ("${{ date: YYYY/MM/DD }}/${{ slug }}", (None,) * 4, False),
        ("${{ date: YYYY/WW }}", (None,) * 2, False),
        ("${{ a / b }}", (None,), False),
        ("posts/${{ path/** }}", ("posts", None), True),
        ("./posts/./${{ slug }}", ("posts", None), False),
        ("plain", ("plain",), False),
    ],
)
def test_the_shape_of_a_template(source: str, levels: tuple[str | None, ...], recursive: bool) -> None:
    template = parse_template(source)
    assert (template.levels, template.recursive) == (levels, recursive)
    assert template.depth == len(levels)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("", "is empty"),
        ("//", "is empty"),
        ("${{ slug", "is not closed"),
        ("a//b", "empty component"),
        ("${{ path/** }}/a", "must be the last one"),
        ("a-${{ path/** }}", "only part"),
        ("${{ d: MM/YYYY }}", "known: YYYY, YYYY/MM, YYYY/MM/DD, YYYY/WW"),
        ("x-${{ d: YYYY }}", "stand alone"),
    ],
)
def test_a_template_that_gitsheets_refuses_is_refused_with_the_reason(source: str, reason: str) -> None:
    with pytest.raises(TemplateError, match=reason):
        parse_template(source)


@pytest.mark.parametrize("code", ["while (true) {}", "'x'.repeat(1e9)", "process.exit()", "(() => {})()"])
def test_an_expression_is_a_level_and_never_run(code: str) -> None:
    assert parse_template(f"people/${{{{ {code} }}}}").levels == ("people", None)
