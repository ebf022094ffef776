"""A sample that means harm, or is only odd: names, values and schemas as nobody would write them."""

from __future__ import annotations

from typing import Final

# Characters that mean something in URLs, templates, JSON pointers, HTML, SQL or to a terminal.
ODD_SHEET: Final = "höhe {x} %41?#&+;~1"
ODD_FIELDS: Final = ("naïve b", "x'y", "a&b=c#d", "e%41+g", "{h}", "$ref", "limit", "q__gt")

_STRICT: Final = """
[gitsheet.schema]
type = "object"
required = ["slug"]
"$comment" = "never shown"
x-note = "neither is this"
[gitsheet.schema.properties.slug]
"$ref" = "#/$defs/a~1b%20c"
[gitsheet.schema.properties.parent]
"$ref" = "#"
[gitsheet.schema.properties."$ref"]
type = "string"
[gitsheet.schema.properties.discriminator]
enum = ["#/not/a/reference", 1979-05-27]
[gitsheet.schema."$defs"."a/b c"]
type = "string"
pattern = "^[a-z]+$"
"""
_BROKEN_SCHEMA: Final = '\n[gitsheet.schema]\ntype = "nothing"\n'
_FETCHING_SCHEMA: Final = '\n[gitsheet.schema]\n"$ref" = "https://example.org/schema.json"\n'
_OLD_SCHEMA: Final = '\n[gitsheet.schema]\n"$schema" = "http://json-schema.org/draft-07/schema#"\n'
_DEFEATED_SCHEMA: Final = (
    '\n[gitsheet.schema]\nrequired = ["never"]\n[gitsheet.schema.properties.n]\ntype = "null"\n'
)


def _sheet(root: str, template: str = "${{ slug }}", more: str = "") -> str:
    return f'[gitsheet]\nroot = "{root}"\npath = "{template}"\n{more}'


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


_FIELDS: Final = "".join(f"{_quoted(name)} = {_quoted(name)}\n" for name in ODD_FIELDS)
_MIXED: Final = (
    'v = 1\nw = [1, "a", true, {x = 1}]\n',
    'v = "text"\nw = {deep = {er = [[1], []]}}\n',
    "v = true\nw = -9223372036854775808\n",
    "v = [1.5e300, -0.0]\nw = 9223372036854775807\n",
    "v = {t = 07:32:00, d = 1979-05-27, o = 0001-01-01T00:00:00+14:00}\nw = 5e-324\n",
    'v = "\\u0000\\u0001\\u007f\\u202e\\ufeff\\U0010ffff"\nw = ""\n',
)

HOSTILE: Final[dict[str, bytes | str]] = {
    f".gitsheets/{ODD_SHEET}.toml": _sheet("odd"),
    f"odd/{ODD_SHEET.replace('/', '_')}.toml": _FIELDS,
    "odd/ñandú 東京.toml": _FIELDS.replace("= ", "= 'o'  # "),
    "odd/-x; rm.toml": "limit = 3\nsort = 'x'\n",
    "odd/-x; rm/ä%2F'\"<b>&.svg": "<svg onload='alert(1)'/>",
    "odd/-x; rm/no-ending": b"\xff\xfe\x00",
    "odd/-x; rm/macro.xlam": b"PK",
    ".gitsheets/mixed.toml": _sheet("mixed") + '\n[livesheets]\nindex = ["v", "w"]\n',
    **{f"mixed/m{number}.toml": text for number, text in enumerate(_MIXED)},
    ".gitsheets/strict.toml": _sheet("strict", more=_STRICT),
    "strict/one.toml": 'slug = "one"\n[parent]\nslug = "above"\n"$ref" = "x"\n',
    ".gitsheets/defeated.toml": _sheet("defeated", more=_DEFEATED_SCHEMA),
    "defeated/one.toml": "n = 1\n",
    ".gitsheets/broken.toml": _sheet("broken", more=_BROKEN_SCHEMA),
    ".gitsheets/fetching.toml": _sheet("fetching", more=_FETCHING_SCHEMA),
    ".gitsheets/old.toml": _sheet("old", more=_OLD_SCHEMA),
    "old/one.toml": "a = 1\n",
    ".gitsheets/empty.toml": _sheet("nowhere"),
    ".gitsheets/_hidden.toml": _sheet("hidden"),
    "hidden/one.toml": "a = 1\n",
    ".gitsheets/deep.toml": _sheet("deep", "${{ path/** }}"),
    "deep/a/b/c/d.toml": "z = {y = {x = {w = 1}}}\n",
    "deep/a/b/c/d/more/file.txt": "attached\n",
    "deep/.. .toml": "z = 1\n",
}
