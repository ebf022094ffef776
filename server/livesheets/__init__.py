"""Livesheets as a library: serve a git branch from your own Tornado or asyncio program.

`open_branch` opens a branch, `routes` are handlers for it below any prefix. What is exported here is stable
between minor versions.
"""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path


def _load(name: str, folder: Path) -> None:
    """Import one of this distribution's packages, whatever else has its name in the program's folder."""
    init = folder / "__init__.py"
    if name in sys.modules:
        found = getattr(sys.modules[name], "__file__", None)
        if found is None or Path(found).resolve() != init.resolve():
            raise ImportError(
                f"{found} hides the package {name!r} of livesheets: import livesheets before it, or rename it"
            )
        return
    spec = spec_from_file_location(name, init, submodule_search_locations=[str(folder)])
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise


def _folder(name: str) -> Path:
    """Where a package of this distribution is: beside this one, or above it in a checkout."""
    here = Path(__file__).resolve().parent
    return next(path for path in (here.parent / name, here.parent.parent / name) if path.is_dir())


for _name in ("reload", "server"):
    _load(_name, _folder(_name))

from reload import (  # noqa: E402 (only now are these packages ours)
    Branch,
    Changes,
    DataPolicy,
    Derivation,
    DerivationFailed,
    Difference,
    DirectoryInUse,
    Filter,
    InvalidQuery,
    Outcome,
    Policy,
    Problem,
    Query,
    Reader,
    ReloadError,
    Row,
    Sheet,
    Snapshot,
    Sort,
    match_expression,
    open_branch,
)
from server import __version__  # noqa: E402
from server.mount import routes  # noqa: E402

__all__ = [
    "Branch",
    "Changes",
    "DataPolicy",
    "Derivation",
    "DerivationFailed",
    "Difference",
    "DirectoryInUse",
    "Filter",
    "InvalidQuery",
    "Outcome",
    "Policy",
    "Problem",
    "Query",
    "Reader",
    "ReloadError",
    "Row",
    "Sheet",
    "Snapshot",
    "Sort",
    "__version__",
    "match_expression",
    "open_branch",
    "routes",
]
