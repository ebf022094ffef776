"""Packaging of Livesheets: `pip install .` gives the command `livesheets`."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
README = HERE / "README.md"


def version() -> str:
    """The version, from the only place that states it; importing it would need the dependencies."""
    found = re.search(r'__version__ = "([^"]+)"', (HERE / "server" / "__init__.py").read_text())
    if found is None:
        raise SystemExit("server/__init__.py states no __version__")
    return found[1]


def without_relative_links(text: str) -> str:
    """Markdown in which a link to a file of this repository is plain text: elsewhere it leads nowhere."""
    return re.sub(r"\[([^\]]*)\]\((?!https?://)[^)]*\)", r"\1", text)


setup(
    name="livesheets",
    version=version(),
    description="The records of a git branch as a live, searchable HTTP API",
    long_description=without_relative_links(README.read_text("utf-8")) if README.exists() else "",
    long_description_content_type="text/markdown",
    author="The Livesheets authors",
    license="MIT",
    keywords=["git", "gitsheets", "toml", "api", "search", "tornado", "civic-tech"],
    license_files=["LICENSE"],
    python_requires=">=3.11",
    # The package `livesheets` lies in `server/`, since the folders at the top are prescribed.
    packages=[
        "livesheets",
        *find_packages(include=["reload", "reload.*", "server", "server.*"], exclude=["server.livesheets"]),
    ],
    package_dir={"livesheets": "server/livesheets"},
    package_data={
        "livesheets": ["py.typed"],
        "reload": ["py.typed"],
        "server": ["py.typed", "pages/templates/*"],
    },
    zip_safe=False,
    entry_points={"console_scripts": ["livesheets = livesheets.__main__:main"]},
    install_requires=[
        "tornado>=6.4,<7",
        "GitPython>=3.1.43",
        "structlog>=24",
        "apsw>=3.46",
        "toml-rs>=0.4.3,<0.5",
        "orjson>=3.10",
        "jsonschema-rs>=0.30",
        "prometheus-client>=0.20",
        "typer>=0.12",
        "rich>=13",
        "platformdirs>=4",
        # Swagger UI's own files, byte for byte as npm has them: pinned, since others package them.
        "swagger-ui-bundle-v2==5.31.0",
    ],
    extras_require={
        "dev": [
            "gitsheets==0.6.0",  # the oracle of the reading tests: pinned, so that it stays one
            "hypothesis",
            # Led by coverage, it looks for bytes that break a parser; has wheels for nothing else.
            "atheris; sys_platform == 'linux' and platform_machine == 'x86_64'",
            # pytest-tornado's last release needs pkg_resources and the hooks of pytest 9.
            "pytest-tornado==0.8.1",
            "pytest<10",
            "setuptools>=77,<82",
            "pytest-randomly",
            "pytest-timeout",
            "axe-core-python",  # looks for what keeps people from using the page
            "datasette",  # opens the state file in tests, as its users may
            "PyYAML",  # reads the workflows in the documentation
            "mypy",
            "openapi-python-client==0.29.1",  # makes a client of the demo; keeps typer below 0.28
            "openapi-spec-validator",
            "promql-parser",  # reads the expressions of docs/monitoring/
            "ruff",
            "schemathesis>=4.30,<5",
            "sentry-sdk",
        ],
        "bench": ["datasette", "matplotlib"],
    },
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Internet :: WWW/HTTP :: HTTP Servers",
        "Typing :: Typed",
    ],
)
