"""The files that come with sample posts: small, valid pictures, tables and notes."""

from __future__ import annotations

import random
import struct
import zlib

from server.demo.words import VENUES, Topic

_COVER_WIDTH, _COVER_HEIGHT = 48, 27
_CHART = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 240 100" role="img" fill="#27655f">
<title>{label}: requests by quarter</title>
{bars}
</svg>
"""


def post_attachments(chance: random.Random, topic: Topic, number: int) -> dict[str, bytes]:
    """The attachments of a topic's post `number` by file name; some posts have none."""
    if number == 0:
        return {"cover.png": _cover(chance), "by-neighborhood.csv": _table(chance)}
    if number == 1:
        return {"requests.svg": _chart(chance, topic.label)}
    if number == 2:
        return {}
    notes = f"Notes, unedited\n\n- {topic.problem}\n- Ask {topic.partner} about {topic.data}.\n"
    return {"cover.png": _cover(chance), "notes.txt": notes.encode()}


def _cover(chance: random.Random) -> bytes:
    """A PNG with a color gradient, not compressed, so that any zlib writes the same bytes."""
    red, green, blue = (chance.randrange(40, 160) for _ in range(3))
    rows = b"".join(
        b"\0" + b"".join(bytes((red + x, green + y, blue + x)) for x in range(_COVER_WIDTH))
        for y in range(_COVER_HEIGHT)
    )
    header = struct.pack(">IIBBBBB", _COVER_WIDTH, _COVER_HEIGHT, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 0)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _chart(chance: random.Random, label: str) -> bytes:
    heights = [chance.randrange(10, 90) for _ in range(8)]
    bars = "\n".join(
        f'<rect x="{30 * place + 4}" y="{100 - height}" width="22" height="{height}" />'
        for place, height in enumerate(heights)
    )
    return _CHART.format(label=label, bars=bars).encode()


def _table(chance: random.Random) -> bytes:
    neighborhoods = sorted({neighborhood for _, neighborhood in VENUES})
    lines = ["neighborhood,requests,resolved"]
    for neighborhood in neighborhoods:
        requests = chance.randrange(20, 400)
        lines.append(f"{neighborhood},{requests},{chance.randrange(requests)}")
    return "\n".join([*lines, ""]).encode()
