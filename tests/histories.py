"""Random histories of gitsheets repositories: what `tests.gitrepo` makes and `tests.oracle` reads.

A tree is `{path: bytes}`, a history a list of trees, oldest first. Files come and go, move, become
folders, and lie where several sheets or none claim them; sheet definitions come, change and go.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.documents import markdown_documents, toml_documents
from tests.gitrepo import GitRepo, read_tree, run_git
from tests.oracle import EXTENSIONS, as_oracle, matches, oracle

__all__ = [
    "GitRepo",
    "Tree",
    "as_oracle",
    "histories",
    "markdown_documents",
    "matches",
    "oracle",
    "read_tree",
    "repositories",
    "run_git",
    "toml_documents",
]

Tree = dict[str, bytes]

# (root, path template, format) by sheet; the first definition is the usual one.
_SHEETS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "people": (
        ("people", "${{ slug }}", "toml"),
        ("people", "${{ team }}/${{ slug }}", "toml"),
        ("staff", "${{ slug }}", "toml"),
    ),
    "events": (
        ("events", "${{ year }}/${{ slug }}", "toml"),
        ("events/", "${{ startsAt: YYYY/MM }}/${{ slug }}", "toml"),
        ("events", "ada/${{ slug }}", "toml"),
    ),
    "notes": (
        ("notes", "${{ path/** }}", "toml"),
        ("notes", "${{ topic }}/${{ path/** }}", "toml"),
        ("notes", "${{ path/** }}", "markdown"),
    ),
    "posts": (
        ("posts", "${{ slug }}", "markdown"),
        ("posts", "${{ slug }}", "mdx"),
        ("posts", "${{ slug }}", "toml"),
    ),
    "pages": (
        ("site/pages", "${{ lang }}/${{ slug }}", "mdx"),
        ("site", "pages/${{ lang }}/${{ slug }}", "markdown"),
    ),
    "top": (
        (".", "${{ slug }}", "toml"),
        (".", "people/${{ slug }}", "toml"),
        (".", "${{ folder }}/${{ slug }}", "markdown"),
    ),
    "everything": ((".", "${{ path/** }}", "toml"), (".", "${{ path/** }}", "markdown")),
    "höhe": (("people", "${{ slug }}-${{ name }}", "toml"), ("./staff", "${{ slug }}", "toml")),
}
# One path component with its expressions, in which slashes separate nothing.
_EXPRESSIONS = re.compile(r"(?:[^/]*?\$\{\{.*?\}\})+[^/]*")
_OVERLAPPING = ("top", "höhe", "everything")
_RECURSIVE = ("notes", "everything")
_ROOTS = ("people", "events", "notes", "posts", "site/pages", "staff", "", "elsewhere")
# None of these extends another with a character that sorts before "/".
_NAMES = ("ada", "bo", "ñandú", "Zoë", "東京", "it's", "2024", "07", "x y", "en")
_EXTENDED_NAMES = ("ada.b", "ada-2", "v1.0", "bo.toml", "07 b", "en.md")
_EXTENSIONS = (".toml", ".toml", ".toml", ".md", ".mdx", ".txt", ".png", "")
_BROKEN = (b"a = \n", b"a = 1\na = 2\n", b"\xff\xfe", b"= 1", b'a = "\n', b"a = 2024-13-01\n")
_BROKEN_DEFINITIONS = (b"[gitsheet\n", b"[gitsheet]\nroot = 'x'\n", b"", b"gitsheet = 1\n")


@dataclass(frozen=True)
class _Style:
    """What a history may hold: broken files, sheets that share files, names that extend names.

    Names that extend others come without recursive sheets: gitsheets forgets the attachments of
    `a.toml` in `a/` where a record such as `a.x.toml` sorts between the two.
    """

    invalid: bool
    overlapping: bool
    extended: bool


def repositories(*, invalid: bool = False, overlapping: bool = True) -> st.SearchStrategy[Tree]:
    """Single trees with at least one sheet definition; the options are those of `histories`."""
    return histories(max_commits=1, invalid=invalid, overlapping=overlapping).map(lambda h: h[0])


@st.composite
def histories(
    draw: st.DrawFn, *, max_commits: int = 6, invalid: bool = False, overlapping: bool = True
) -> list[Tree]:
    """Sequences of 1 to `max_commits` trees, each a few changes away from the one before.

    Every record and definition is readable unless `invalid`; with `overlapping`, one file may be a
    record of several sheets (and definitions records of a sheet at the root). A tree may equal the
    one before, and a later one may be empty.
    """
    style = _Style(invalid, overlapping, draw(st.booleans()))
    tree: Tree = {}
    for name in draw(st.lists(st.sampled_from(_sheets(style)), min_size=1, max_size=4, unique=True)):
        _put(tree, _definition_path(name), draw(_definitions(style, name)))
    for _ in range(draw(st.integers(0, 15))):
        _put_file(draw, style, tree)
    trees = [dict(tree)]
    for _ in range(draw(st.integers(0, max_commits - 1))):
        for _ in range(draw(st.integers(0, 4))):
            draw(st.sampled_from(_CHANGES))(draw, style, tree)
        trees.append(dict(tree))
    return trees


def _put(tree: Tree, path: str, data: bytes) -> None:
    """Set a file as git would: whatever is in the way, a folder or a file, goes."""
    for other in list(tree):
        if other.startswith(f"{path}/") or path.startswith(f"{other}/"):
            del tree[other]
    tree[path] = data


def _put_file(draw: st.DrawFn, style: _Style, tree: Tree) -> None:
    path = draw(_paths(style, tree))
    _put(tree, path, draw(_contents(style, path)))


def _edit(draw: st.DrawFn, style: _Style, tree: Tree) -> None:
    if files := _files(tree):
        path = draw(st.sampled_from(files))
        tree[path] = draw(_contents(style, path))


def _delete(draw: st.DrawFn, _: _Style, tree: Tree) -> None:
    if tree:
        del tree[draw(st.sampled_from(sorted(tree)))]


def _delete_folder(draw: st.DrawFn, _: _Style, tree: Tree) -> None:
    if folders := _folders(tree):
        _take(tree, draw(st.sampled_from(folders)))


def _rename(draw: st.DrawFn, style: _Style, tree: Tree) -> None:
    if files := _files(tree):
        old, new = draw(st.sampled_from(files)), draw(_paths(style, tree))
        kept = old.rpartition(".")[2] == new.rpartition(".")[2]
        data = tree.pop(old)
        _put(tree, new, data if kept else draw(_contents(style, new)))


def _rename_folder(draw: st.DrawFn, style: _Style, tree: Tree) -> None:
    if folders := _folders(tree):
        old = draw(st.sampled_from(folders))
        new = f"{draw(st.sampled_from(_ROOTS[:-2]))}/{draw(_names(style))}"
        for path, data in _take(tree, old).items():
            _put(tree, new + path.removeprefix(old), data)


def _file_becomes_folder(draw: st.DrawFn, style: _Style, tree: Tree) -> None:
    files = [path for path in _files(tree) if style.extended or "." not in path]
    if files:
        path = f"{draw(st.sampled_from(files))}/{draw(_names(style))}.toml"
        _put(tree, path, draw(_contents(style, path)))


def _attach(draw: st.DrawFn, style: _Style, tree: Tree) -> None:
    """Put a file below the folder that is named like a record; it may be named like one too."""
    records = [path for path in _files(tree) if path.endswith((".toml", ".md", ".mdx"))]
    if records:
        owner = draw(st.sampled_from(records)).rpartition(".")[0]
        path = f"{owner}/{draw(_names(style))}{draw(st.sampled_from(_EXTENSIONS))}"
        _put(tree, path, draw(_contents(style, path)))


def _define(draw: st.DrawFn, style: _Style, tree: Tree) -> None:
    name = draw(st.sampled_from(_sheets(style)))
    _put(tree, _definition_path(name), draw(_definitions(style, name)))


def _undefine(draw: st.DrawFn, _: _Style, tree: Tree) -> None:
    if defined := [path for path in sorted(tree) if path.startswith(".gitsheets/")]:
        del tree[draw(st.sampled_from(defined))]


_CHANGES = (
    _put_file,
    _put_file,
    _edit,
    _edit,
    _delete,
    _delete_folder,
    _rename,
    _rename_folder,
    _file_becomes_folder,
    _attach,
    _attach,
    _define,
    _undefine,
)


def _files(tree: Tree) -> list[str]:
    return [path for path in sorted(tree) if not path.startswith(".gitsheets/")]


def _folders(tree: Tree) -> list[str]:
    folders = {path[:end] for path in _files(tree) for end in _slashes(path)}
    return sorted(folders)


def _slashes(path: str) -> Sequence[int]:
    return [place for place, character in enumerate(path) if character == "/"]


def _take(tree: Tree, folder: str) -> Tree:
    """Remove a folder; what was in it."""
    return {path: tree.pop(path) for path in sorted(tree) if path.startswith(f"{folder}/")}


def _sheets(style: _Style) -> list[str]:
    shunned: tuple[str, ...] = () if style.overlapping else _OVERLAPPING
    shunned += _RECURSIVE if style.extended else ()
    return [name for name in _SHEETS if name not in shunned]


def _definition_path(name: str) -> str:
    return f".gitsheets/{name}.toml"


@st.composite
def _definitions(draw: st.DrawFn, style: _Style, name: str) -> bytes:
    if style.invalid and draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from(_BROKEN_DEFINITIONS))
    root, path, form = draw(st.sampled_from(_SHEETS[name]))
    lines = ["[gitsheet]", f"path = '{path}'", f"root = '{root}'"]
    if root == "." and draw(st.booleans()):
        lines.pop()
    if draw(st.booleans()):
        lines += ["[gitsheet.schema]", "type = 'object'"]
    if form != "toml":
        lines += ["[gitsheet.format]", f"type = '{form}'", "body = 'body'"]
        lines += ["title = 'title'"] if draw(st.booleans()) else []
    if draw(st.booleans()):
        lines += ["[livesheets]", "search = ['title', 'body', 'links.home']"]
        lines += ["index = ['createdAt', 'n']"] if draw(st.booleans()) else []
    return "\n".join([*lines, ""]).encode()


def _names(style: _Style) -> st.SearchStrategy[str]:
    return st.sampled_from(_NAMES + _EXTENDED_NAMES if style.extended else _NAMES)


@st.composite
def _paths(draw: st.DrawFn, style: _Style, tree: Tree) -> str:
    """Where a file may go: mostly a record's place in a sheet that the tree defines."""
    if draw(st.integers(0, 3)) == 0:
        folders = draw(st.lists(_names(style), max_size=3))
        name = draw(_names(style)) + draw(st.sampled_from(_EXTENSIONS))
        return "/".join(part for part in (draw(st.sampled_from(_ROOTS)), *folders, name) if part)
    sheets = [name for name in _sheets(style) if _definition_path(name) in tree]
    sheet = draw(st.sampled_from(sheets or _sheets(style)))
    root, template, form = draw(st.sampled_from(_SHEETS[sheet]))

    def rendered(component: re.Match[str]) -> str:
        levels = 2 if "/MM" in component[0] else 1 + draw(st.integers(0, 2)) * ("/**" in component[0])
        return "/".join(draw(_names(style)) for _ in range(levels))

    record = _EXPRESSIONS.sub(rendered, template)
    return f"{root}/{record}{EXTENSIONS[form]}".replace("//", "/").removeprefix("./")


def _contents(style: _Style, path: str) -> st.SearchStrategy[bytes]:
    """What may stand in a file named so: a readable record where a sheet may read it as one."""
    form = path.rpartition(".")[2]
    if form == "toml":
        valid = toml_documents()
    elif form in ("md", "mdx"):
        valid = markdown_documents()
    else:
        valid = st.binary(max_size=20)
    return st.one_of(valid, valid, valid, st.sampled_from(_BROKEN)) if style.invalid else valid
