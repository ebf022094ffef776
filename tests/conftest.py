"""What every test gets: git that ignores the user's configuration, and real repositories to use."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from tornado.ioloop import IOLoop

from tests.gitrepo import ISOLATION, GitRepo, run_git

BLOG_BRANCH = "published"
_PROJECT = Path(__file__).resolve().parent.parent

# Examples run git, whose speed says nothing about the code under test.
settings.register_profile("git", deadline=None, print_blob=True)
settings.load_profile("git")


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> Iterator[None]:
    """What a test starts hears signals, also where a shell runs the tests in the background, or `nohup`."""
    wanted = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session", autouse=True)
def _compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Python compiles a module once for all processes that tests start, not once for each of them.

    Containers often set PYTHONDONTWRITEBYTECODE; each process then compiles the whole project.
    """
    with pytest.MonkeyPatch.context() as patch:
        if os.environ.get("PYTHONDONTWRITEBYTECODE"):
            patch.delenv("PYTHONDONTWRITEBYTECODE")
            patch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.mktemp("bytecode")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _isolated_git() -> Iterator[None]:
    """No test, and no process that a test starts, reads the user's git configuration."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("GIT_"):
                patch.delenv(name)
        for name, value in ISOLATION.items():
            patch.setenv(name, value)
        yield


@pytest.fixture
def io_loop() -> Iterator[IOLoop]:
    """The event loop of a `gen_test`; at the end its tasks, generators and threads end, as in `asyncio.run`.

    It replaces the fixture of pytest-tornado, which leaves them behind and calls what Tornado deprecates.
    """
    with asyncio.Runner() as runner:
        yield IOLoop(asyncio_loop=runner.get_loop(), make_current=False)


@pytest.fixture
def tmp_git(tmp_path: Path) -> Callable[..., GitRepo]:
    """Makes empty repositories in the test's folder: `tmp_git()`, `tmp_git("name", "branch")`."""

    def make(name: str = "repository", branch: str = "main") -> GitRepo:
        return GitRepo.create(tmp_path / name, branch)

    return make


@pytest.fixture(scope="session")
def _blog_clone(tmp_path_factory: pytest.TempPathFactory, _isolated_git: None) -> Path:
    default = _PROJECT.parent / "shared" / "data" / "blog.bundle"
    bundle = Path(os.environ.get("LIVESHEETS_BLOG_BUNDLE", default))
    if not bundle.is_file():
        pytest.skip(f"{bundle} is missing; set LIVESHEETS_BLOG_BUNDLE to the blog's git bundle")
    clone = tmp_path_factory.mktemp("blog") / "blog.git"
    arguments = ("clone", "-q", "--bare", "--template=", "-b", BLOG_BRANCH)
    run_git(clone.parent, *arguments, str(bundle.resolve()), str(clone))
    return clone


@pytest.fixture
def blog(_blog_clone: Path, tmp_path: Path) -> Path:
    """A bare clone, the test's own, of a real history: branch `published`, two markdown sheets."""
    clone = tmp_path / "blog.git"
    arguments = ("clone", "-q", "--bare", "--template=", "-b", BLOG_BRANCH)
    run_git(tmp_path, *arguments, str(_blog_clone), str(clone))
    return clone
