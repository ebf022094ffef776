"""`python -m livesheets` is `livesheets`."""

import livesheets  # noqa: F401 (sees to it that `server` is ours)

from server.cli import main

if __name__ == "__main__":
    main()
