"""Tornado answering constant bytes: what any answer costs. `constant.py PORT BYTES`"""

from __future__ import annotations

import asyncio
import sys

from tornado.web import Application, RequestHandler


class Constant(RequestHandler):
    """The same bytes for every URL."""

    body = b""

    def get(self) -> None:
        """Answer."""
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.write(self.body)


async def main() -> None:
    """Serve until ended."""
    port, size = map(int, sys.argv[1:])
    Constant.body = b"x" * size
    Application([(r"/.*", Constant)], log_function=lambda handler: None).listen(port, "127.0.0.1")
    await asyncio.Event().wait()


asyncio.run(main())
