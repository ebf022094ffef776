"""A process that imports modules and does nothing else: `imports.py FILE`, a name a line."""

from __future__ import annotations

import contextlib
import importlib
import sys
from pathlib import Path

for name in Path(sys.argv[1]).read_text().split():
    # Some names are what one package tried and another system has.
    with contextlib.suppress(ImportError):
        importlib.import_module(name)
sys.stdout.write("imported\n")
sys.stdout.flush()
