"""The data that most of these tests serve: a sheet of each kind, small enough to know by heart."""

from __future__ import annotations

from typing import Final

PEOPLE: Final = 60
IMAGE: Final = bytes(range(256)) * 4
CSV: Final = "hour,visitors\n9,12\n10,48\n"

_DEFINITIONS: Final = {
    "people": """[gitsheet]
root = "people"
path = "${{ slug }}"

[gitsheet.schema]
type = "object"
[gitsheet.schema.properties.age]
type = "integer"

[livesheets]
index = ["joined", "age"]
""",
    "events": """[gitsheet]
root = "events"
path = "${{ year }}/${{ slug }}"
""",
    "posts": """[gitsheet]
root = "posts"
path = "${{ slug }}"
[gitsheet.format]
type = "markdown"
body = "body"
""",
    "notes": """[gitsheet]
root = "notes"
path = "${{ path/** }}"
""",
}
_TEAMS: Final = ("garden", "kitchen", "library")


def person(number: int, **fields: object) -> str:
    """The file of one person; `fields` are strings, numbers or booleans that are added or replaced."""
    values: dict[str, object] = {
        "slug": f"p{number:02}",
        "name": f"Person {number}",
        "age": 20 + number % 50,
        "active": number % 2 == 0,
        **fields,
    }
    if number % 3:
        values.setdefault("score", number / 2)
    lines = [f"{key} = {_toml(value)}" for key, value in values.items()]
    lines += [
        f'tags = ["{_TEAMS[number % 3]}", "all"]',
        f"joined = 2024-{number % 12 + 1:02}-{number % 28 + 1:02}",
        f"seenAt = 2024-05-06T07:08:{number % 60:02}Z",
        f'[home]\ncity = "{"Málaga" if number % 4 == 0 else "Porto"}"',
    ]
    return "\n".join([*lines, ""])


def people(count: int = PEOPLE, **fields: object) -> dict[str, str]:
    """The files of the sheet `people`."""
    return {f"people/p{number:02}.toml": person(number, **fields) for number in range(count)}


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else f'"{value}"'


DEFINITIONS: Final = {f".gitsheets/{name}.toml": text for name, text in _DEFINITIONS.items()}
SAMPLE: Final[dict[str, bytes | str]] = {
    **DEFINITIONS,
    **people(),
    "README.md": "Not a record of any sheet, and never served.\n",
    "events/2023/opening.toml": 'title = "Opening day"\nat = 09:30:00\n',
    "events/2024/harvest.toml": 'title = "Harvest dinner"\nat = 2024-09-20T18:00:00+02:00\nplaces = 40\n',
    "events/2024/harvest/menu.txt": "Pumpkin soup\n",
    "posts/food.md": '+++\ntitle = "Mapping food access"\n+++\n\n'
    "Walking <b>every</b> block & counting shops.\n",
    "posts/food/map.png": IMAGE,
    "posts/food/visitors.csv": CSV,
    "posts/food/page.html": "<script>alert(1)</script>\n",
    "posts/garden.md": '+++\ntitle = "Food from the garden"\ndraft = true\n+++\n\nAbout running a garden.\n',
    "notes/start.toml": 'text = "Where to begin"\n',
    "notes/deep/er/one.toml": 'text = "Naïve café notes"\n',
}
