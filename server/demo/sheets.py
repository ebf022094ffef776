"""What the sample repository says about itself: its sheet definitions and its README."""

from __future__ import annotations

README = """\
# Riverbend Brigade: sample data

The people, projects, events and posts of a civic-tech brigade that does not exist, as sheets of a
gitsheets repository: `.gitsheets/` says where the records of each sheet lie, every record is one
file, and a folder named like a record holds its attachments.

All of it is made up. Edit what you like and push: the server follows this branch.
"""

DEFINITIONS = {
    "people": """\
[gitsheet]
root = "people"
path = "${{ slug }}"

[gitsheet.schema]
type = "object"
required = ["slug", "name", "joinedAt"]

[gitsheet.schema.properties.slug]
type = "string"
pattern = "^[a-z0-9]+(-[a-z0-9]+)*$"

[gitsheet.schema.properties.name]
type = "string"
minLength = 1

[gitsheet.schema.properties.skills]
type = "array"
uniqueItems = true
items = { type = "string" }

[livesheets]
search = ["name", "role", "neighborhood", "bio", "skills"]
index = ["joinedAt", "name"]
""",
    "projects": """\
[gitsheet]
root = "projects"
path = "${{ slug }}"

[gitsheet.schema]
type = "object"
required = ["slug", "title", "stage", "createdAt"]

[gitsheet.schema.properties.stage]
enum = ["idea", "prototype", "beta", "live", "handed-over", "retired"]

[gitsheet.schema.properties.volunteers]
type = "integer"
minimum = 0

[livesheets]
search = ["title", "summary", "description", "tags"]
index = ["createdAt", "stage"]
""",
    "events": """\
[gitsheet]
root = "events"
path = "${{ year }}/${{ slug }}"

[livesheets]
search = ["title", "description", "venue.name", "venue.neighborhood"]
index = ["startsAt", "kind"]
""",
    "posts": """\
[gitsheet]
root = "posts"
path = "${{ slug }}"

[gitsheet.format]
type = "markdown"
body = "body"
title = "title"

[livesheets]
search = ["title", "body"]
index = ["publishedAt"]
""",
}
