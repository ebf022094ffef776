"""What must come of a reload, told from the history of commits alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from reload.build.builder import Policy
from reload.repository.target import Consent
from tests.end_to_end.sample import DEFINITIONS, person
from tests.gitrepo import Content
from tests.reload.harness import FILES

FEW = 5  # so many people are left where the crowd has gone
EVERYBODY = 30
_DEFINITION = ".gitsheets/{}.toml"
_UNREADABLE = "slug = = 1\n"


@dataclass(frozen=True)
class Data:
    """What a commit holds, as far as it matters for whether it is served."""

    crowd: bool = True  # most of the people
    readable: bool = True  # every record
    fitting: bool = True  # every record to its schema
    clear: bool = True  # every sheet's definition
    people: bool = True  # the sheet `people` is defined
    number: int = 0  # tells it from every other commit

    @property
    def count(self) -> int:
        """How many people there are."""
        return (EVERYBODY if self.crowd else FEW) if self.people else 0

    def files(self) -> dict[str, Content]:
        """Every file; None is one that is not there."""
        crowd = {path: None for path in FILES if path.startswith("people/p") and path > f"people/p{FEW:02}"}
        return {
            **FILES,
            **({} if self.crowd else crowd),
            "people/p00.toml": person(0) if self.readable else _UNREADABLE,
            "people/p01.toml": person(1) if self.fitting else person(1, age="old"),
            _DEFINITION.format("notes"): DEFINITIONS[_DEFINITION.format("notes")] if self.clear else "[git",
            _DEFINITION.format("people"): DEFINITIONS[_DEFINITION.format("people")] if self.people else None,
            "notes/start.toml": f'text = "Where to begin"\nnumber = {self.number}\n',
            f"notes/deep/n{self.number % 7}.toml": f"number = {self.number}\n",
            f"notes/deep/n{(self.number + 3) % 7}.toml": None,
        }


@dataclass(frozen=True)
class Ending:
    """How a reload must end: its outcome, and the commit that is served then."""

    outcome: str
    commit: str

    @property
    def ok(self) -> bool:
        """Whether that is a success."""
        return self.outcome in ("in-sync", "ahead", "fast-forwarded", "rewritten")


@dataclass
class Model:
    """The world as it must be: every commit, the remote, our branch, and what is served."""

    policy: Policy
    served: str
    data: dict[str, Data]
    parents: dict[str, str | None]
    head: str | None  # of the remote's branch
    up: bool = True  # the remote answers
    local: str = ""
    accepted: str = ""  # what the remote had when it was last followed

    def __post_init__(self) -> None:
        self.local = self.accepted = self.served

    def add(self, commit: str, parent: str | None, data: Data) -> None:
        """Know a commit."""
        self.data[commit], self.parents[commit] = data, parent

    def contains(self, tip: str, commit: str) -> bool:
        """Whether a commit is another one or an ancestor of it."""
        return commit in self._line(tip)

    def reload(self, consent: frozenset[Consent] = frozenset()) -> Ending:
        """How a reload that asks the remote must end now; nothing moves by being foretold."""
        if not self.up:
            return Ending("fetch-failed", self.served)
        if self.head is None:
            return Ending("branch-missing", self.served)
        newest, lost = self._target(self.head)
        if lost and not (self.policy.follow_rewrites or "rewrite" in consent):
            moved_back = self.contains(lost[-1], newest)
            return Ending("rewound" if moved_back else "diverged", self.served)
        if newest == self.served:
            return Ending("ahead" if newest != self.head else "in-sync", newest)
        if not self._readable(self.data[newest]):
            return Ending("data-rejected", self.served)
        if self._is_held(newest, consent):
            return Ending("deletions-held", self.served)
        return Ending("rewritten" if lost else "fast-forwarded", newest)

    def settle(self, ending: Ending) -> None:
        """Take over what a reload has done."""
        if ending.ok:
            self.served = self.local = ending.commit
            if self.head is not None:
                self.accepted = self.head

    def _target(self, head: str) -> tuple[str, list[str]]:
        """The newest commit, and the commits that would be lost by serving it."""
        newest, lost = head, []
        if not self.contains(head, self.local):
            if self.contains(self.local, head) and self.contains(head, self.accepted):
                newest = self.local  # the remote never had ours
            else:
                lost.append(self.local)
        if self.served != self.local and not self.contains(newest, self.served):
            lost.append(self.served)
        return newest, lost

    def _readable(self, data: Data) -> bool:
        if not data.clear:
            return False
        bad = not data.readable or (not data.fitting and self.policy.data.schema == "enforce")
        return not (bad and data.people and self.policy.data.invalid == "reject")

    def _is_held(self, commit: str, consent: frozenset[Consent]) -> bool:
        before, after = self.data[self.served].count, self.data[commit].count
        mass = before >= 20 and (before - after) * 2 > before
        return mass and not self.policy.allow_deletions and "deletions" not in consent

    def _line(self, tip: str) -> Iterator[str]:
        commit: str | None = tip
        while commit is not None:
            yield commit
            commit = self.parents[commit]


def changed(data: Data, number: int, what: str, value: bool) -> Data:
    """The data of the next commit: one thing set, and told from every other."""
    return replace(data, number=number, **({what: value} if what else {}))
