"""Sample records of an imaginary civic-tech brigade, the same ones on every run.

Four sheets: `people`, `projects` and `events` in TOML, `posts` in markdown with attachments.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from pathlib import Path

import toml_rs

from server.demo.attachments import post_attachments
from server.demo.sheets import DEFINITIONS, README
from server.demo.words import (
    BACKGROUNDS,
    EVENT_KINDS,
    FIRST_NAMES,
    LAST_NAMES,
    LESSONS,
    NEXT_STEPS,
    POST_TITLES,
    ROLES,
    SKILLS,
    TOPICS,
    VENUES,
    Topic,
)

Record = dict[str, object]

PEOPLE = 132
EVENTS_PER_TOPIC = 10
STAGES = ("idea", "prototype", "beta", "live", "handed-over", "retired")

_SEED = 2014
_NOT_FOLDED = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ß": "ss"})


def write_sample_records(folder: Path) -> None:
    """Write the sample repository's files below `folder`.

    The bytes are the same on every call; files that are there already are overwritten. TOML is
    written as gitsheets writes it (keys sorted, tables last). Raises OSError where a file can't be
    written.
    """
    for path, content in sample_files().items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def sample_files() -> dict[str, bytes]:
    """Every file of the sample repository by its path, always the same bytes."""
    chance = random.Random(_SEED)
    people = _people(chance)
    files = {"README.md": README.encode()}
    for name, definition in DEFINITIONS.items():
        files[f".gitsheets/{name}.toml"] = definition.encode()
    for person in people:
        files[f"people/{person['slug']}.toml"] = toml_text(person).encode()
    for project in _projects(chance, people):
        files[f"projects/{project['slug']}.toml"] = toml_text(project).encode()
    files |= _events(chance)
    files |= _posts(chance, people)
    return files


def toml_text(record: Mapping[str, object]) -> str:
    """`record` as TOML in gitsheets' order: keys sorted, tables (of plain values) at the end."""
    ordered = dict(sorted(record.items()))
    tables = {key: value for key, value in ordered.items() if isinstance(value, dict)}
    parts = [_line(key, ordered[key]) for key in ordered if key not in tables]
    parts += ["\n" + toml_rs.dumps({key: dict(sorted(tables[key].items()))}) for key in tables]
    return "".join(parts)


def _line(key: str, value: object) -> str:
    # toml-rs writes times with a fraction of a second, which nobody would.
    if isinstance(value, datetime | time):
        return f"{key} = {value.isoformat().replace('+00:00', 'Z')}\n"
    return toml_rs.dumps({key: value})


def slug_of(title: str) -> str:
    """A title as a file name: ASCII lower case, words joined with dashes."""
    folded = unicodedata.normalize("NFKD", title.lower().translate(_NOT_FOLDED))
    ascii_only = folded.encode("ascii", "ignore").decode().replace("'", "")
    return "-".join(re.findall(r"[a-z0-9]+", ascii_only))


def _people(chance: random.Random) -> list[Record]:
    everybody = [f"{first} {last}" for first in FIRST_NAMES.split() for last in LAST_NAMES.split()]
    return [_person(chance, name) for name in chance.sample(everybody, PEOPLE)]


def _person(chance: random.Random, name: str) -> Record:
    slug = slug_of(name)
    first = name.partition(" ")[0]
    role, habit = chance.choice(ROLES)
    topic = chance.choice(TOPICS)
    _, neighborhood = chance.choice(VENUES)
    return {
        "slug": slug,
        "name": name,
        "role": role,
        "neighborhood": neighborhood,
        "bio": f"{chance.choice(BACKGROUNDS)} At the brigade, {first} {habit}, mostly for {topic.label}.",
        "skills": sorted(chance.sample(SKILLS.split(), chance.randrange(2, 5))),
        "joinedAt": date(2014, 3, 1) + timedelta(days=chance.randrange(4100)),
        "mentor": chance.random() < 0.2,
        "links": {"email": f"{slug}@example.org", "website": f"https://{slug}.example.org"},
    }


def _projects(chance: random.Random, people: list[Record]) -> list[Record]:
    return [
        _project(chance, people, topic, title, summary)
        for topic in TOPICS
        for title, summary in topic.projects
    ]


def _project(chance: random.Random, people: list[Record], topic: Topic, title: str, summary: str) -> Record:
    slug = slug_of(title)
    lead, *members = (person["slug"] for person in chance.sample(people, chance.randrange(3, 9)))
    tags = [topic.tag, *sorted(chance.sample(topic.related, chance.randrange(1, 3)))]
    return {
        "slug": slug,
        "title": title,
        "summary": summary,
        "description": f"{topic.problem} With {topic.partner} we build on {topic.data}. "
        f"{chance.choice(LESSONS)}",
        "stage": chance.choice(STAGES),
        "tags": tags,
        "lead": lead,
        "members": members,
        "volunteers": len(members) + chance.randrange(12),
        "monthlyCost": round(chance.uniform(0, 180), 2),
        "createdAt": date(2016, 1, 10) + timedelta(days=chance.randrange(3500)),
        "links": {
            "repository": f"https://git.example.org/riverbend/{slug}",
            "website": f"https://{slug}.example.org",
        },
    }


def _events(chance: random.Random) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for topic in TOPICS:
        for number in range(EVENTS_PER_TOPIC):
            event = _event(chance, topic, number)
            path = f"events/{event['year']}/{event['slug']}"
            files[f"{path}.toml"] = toml_text(event).encode()
            if event["kind"] == "listening":
                files[f"{path}/agenda.txt"] = _agenda(topic).encode()
    return files


def _event(chance: random.Random, topic: Topic, number: int) -> Record:
    kind, name, invitation = EVENT_KINDS[number % len(EVENT_KINDS)]
    venue, neighborhood = chance.choice(VENUES)
    day = date(2021, 1, 9) + timedelta(days=chance.randrange(1780))
    hour = chance.choice((10, 14, 18, 19))
    summer = timezone(timedelta(hours=-4 if 4 <= day.month <= 10 else -5))
    title = f"{name}: {topic.label[0].upper()}{topic.label[1:]}"
    return {
        "slug": f"{day:%m-%d}-{kind}-{topic.tag}",
        "year": day.year,
        "title": title,
        "kind": kind,
        "project": slug_of(chance.choice(topic.projects)[0]),
        "description": f"{invitation} Hosted with {topic.partner}. {topic.problem}",
        "startsAt": datetime.combine(day, time(hour, 30), summer),
        "announcedAt": datetime.combine(day - timedelta(days=21), time(15, 4, 5), UTC),
        "minutesDueAt": datetime.combine(day + timedelta(days=7), time(17)),
        "doorsOpen": time(hour, 0),
        "capacity": chance.randrange(12, 120, 4),
        "venue": {
            "name": venue,
            "neighborhood": neighborhood,
            "stepFree": chance.random() < 0.8,
        },
    }


def _agenda(topic: Topic) -> str:
    return (
        "Agenda\n\n1. Welcome and interpretation check\n"
        f"2. What we hear from {topic.partner}\n"
        f"3. What the data can tell ({topic.data})\n4. Open floor\n5. Who does what next\n"
    )


def _posts(chance: random.Random, people: list[Record]) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for topic in TOPICS:
        for number, pattern in enumerate(POST_TITLES):
            project, summary = topic.projects[number]
            label = topic.label.title().replace(" And ", " and ")
            title = pattern.format(label=label, project=project, partner=topic.partner)
            author = chance.choice(people)["slug"]
            published = date(2022, 2, 1) + timedelta(days=chance.randrange(1300))
            front = {"slug": slug_of(title), "title": title, "author": author}
            body = _post_body(chance, topic, title, f"**{project}**: {summary}")
            tags = [topic.tag, *topic.related]
            text = toml_text({**front, "publishedAt": published, "tags": tags})
            path = f"posts/{front['slug']}"
            files[f"{path}.md"] = f"+++\n{text}+++\n\n{body}\n".encode()
            for name, data in post_attachments(chance, topic, number).items():
                files[f"{path}/{name}"] = data
    return files


def _post_body(chance: random.Random, topic: Topic, title: str, opening: str) -> str:
    first, second = chance.sample(LESSONS, 2)
    after = chance.choice(NEXT_STEPS).format(partner=topic.partner)
    return (
        f"# {title}\n\n{opening}\n\n"
        f"{topic.problem} That is how {topic.partner} put it when we first met, and it is still "
        f"the best reason to work on {topic.label} with the people who come on Tuesdays.\n\n"
        f"## What we tried\n\nWe started from {topic.data}. {first}\n\n"
        f"## What surprised us\n\n{second}\n\n## What comes next\n\n{after}"
    )
