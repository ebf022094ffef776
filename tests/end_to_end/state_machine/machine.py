"""A life of one engine: anything may happen to it, and after each thing every promise is looked at."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from reload.build.builder import Policy
from reload.lane.outcome import Outcome, Trigger
from reload.records.policy import DataPolicy
from reload.repository.target import Consent
from tests.end_to_end.state_machine.model import Data, Ending, Model, changed
from tests.end_to_end.state_machine.starting_points import DAMAGE, StartingPoints, spoil
from tests.end_to_end.state_machine.views import answers, changes
from tests.reload.engine import asked, opened
from tests.reload.faults import FailingGit
from tests.reload.harness import Engine
from tests.reload.policies import build

POLICIES = {
    "usual": Policy(),
    "follow": Policy(follow_rewrites=True),
    "allow": Policy(allow_deletions=True),
    "quarantine": Policy(data=DataPolicy(invalid="quarantine")),
    "enforce": Policy(data=DataPolicy(schema="enforce")),
    "quarantine-enforce": Policy(data=DataPolicy(invalid="quarantine", schema="enforce")),
}
CONSENTS: tuple[tuple[Consent, ...], ...] = ((), (), ("rewrite",), ("deletions",), ("rewrite", "deletions"))
WHATS = ("", "", "crowd", "readable", "fitting", "clear", "people")
_picks = st.integers(0, 1_000)
_consents = st.sampled_from(CONSENTS)


class Life(RuleBasedStateMachine):
    """One engine, its remote, and the model of both."""

    def __init__(self, starting_points: StartingPoints) -> None:
        super().__init__()
        self._starting_points = starting_points
        self._over = contextlib.ExitStack()
        self._folder = Path(self._over.enter_context(tempfile.TemporaryDirectory()))
        self._loop = self._over.enter_context(asyncio.Runner())
        self._saved = self._folder / "saved"
        self._number = 0
        self._fresh: dict[str, Any] = {}
        self._missed = False
        self.seen: list[str] = []  # how reloads have ended

    @initialize(policy=st.sampled_from(sorted(POLICIES)), fault=st.sampled_from(("exit 128", "kill -9 $$")))
    def begin(self, policy: str = "usual", fault: str = "exit 128") -> None:
        self._policy = POLICIES[policy]
        self.place = self._starting_points.copied(self._folder / "place", self._policy)
        self._git = FailingGit(self._folder / "bin", fault)
        head = self.place.remote.head
        self.model = Model(self._policy, head, {head: Data()}, {head: None}, head)
        self._start()

    def teardown(self) -> None:
        with self._over:
            if hasattr(self, "engine"):
                self._run(self.engine.__aexit__())

    # -- what happens to the remote ---------------------------------------------------------------

    @rule(what=st.sampled_from(WHATS), value=st.booleans(), commits=st.integers(1, 3))
    def push(self, what: str = "", value: bool = False, commits: int = 1) -> None:
        """Good commits, bad ones, and ones that fix them."""
        if self.model.head is None:
            return
        for _ in range(commits):
            self._push(self.model.head, what, value)

    @rule(start=_picks, what=st.sampled_from(WHATS), value=st.booleans())
    def rewrite(self, start: int, what: str = "", value: bool = False) -> None:
        """Force-push a history that goes another way."""
        self._push(self._pick(start), what, value)

    @rule()
    def start_over(self) -> None:
        """Force-push a history that has nothing to do with the old one."""
        self.place.remote.author.git("update-ref", "-d", "refs/heads/main")
        self._number += 1
        self._commit(None, {}, Data(number=self._number))

    @rule(to=_picks)
    def point_at(self, to: int) -> None:
        """Move the branch to any commit that the remote has had, or put it back."""
        commit = self._pick(to)
        target = str(self.place.remote.path), f"+{commit}:refs/heads/main"
        self._reachable(lambda: self.place.remote.author.git("push", "-q", *target))
        self.model.head = commit

    @rule()
    def delete_branch(self) -> None:
        if self.model.head is not None:
            self._reachable(lambda: self.place.remote.point_at(None))
            self.model.head = None

    @rule()
    def break_remote(self) -> None:
        if self.model.up:
            self.place.remote.vanish()
            self.model.up = False

    @rule()
    def heal_remote(self) -> None:
        if not self.model.up:
            self.place.remote.return_()
            self.model.up = True

    # -- what asks for a reload -------------------------------------------------------------------

    @rule(consent=_consents, trigger=st.sampled_from((Trigger.POLL, Trigger.WEBHOOK)))
    def reload(self, consent: tuple[Consent, ...] = (), trigger: Trigger = Trigger.POLL) -> None:
        self._reload(self.model.reload(frozenset(consent)), *consent, trigger=trigger)

    @rule(pick=_picks, consent=_consents, digits=st.sampled_from((12, 40)))
    def announce(self, pick: int, consent: tuple[Consent, ...] = (), digits: int = 40) -> None:
        """A webhook for any commit, served or not, still on the branch or not any more."""
        commit = self._pick(pick)
        if not consent and self.model.contains(self.model.served, commit):
            self._reload(Ending("in-sync", self.model.served), announced=commit[:digits])
        else:
            self._announce(commit, commit[:digits], consent)

    @rule(pick=_picks)
    def deliver(self, pick: int) -> None:
        """A forge's delivery, late or not: the branch is said to be at a commit."""
        commit = self._pick(pick)
        if commit == self.model.served:
            self._reload(Ending("in-sync", commit), announced=commit, is_tip=True)
        else:
            self._announce(commit, commit, (), is_tip=True)

    @precondition(lambda self: not self._missed)
    @rule(consent=_consents)
    def announce_another(self, consent: tuple[Consent, ...] = ()) -> None:
        """A webhook for a commit that nobody has."""
        expected = self.model.reload(frozenset(consent))
        if expected.ok:
            self._announce_in_vain("f" * 40, expected, consent)
        else:
            self._reload(expected, *consent, announced="f" * 40)

    @rule(callers=st.integers(2, 5), consent=_consents)
    def many_reload(self, callers: int, consent: tuple[Consent, ...] = ()) -> None:
        """Several at once: each is told the truth, whoever it shares a reload with."""
        first = self.model.reload(frozenset(consent))
        self.model.settle(first)
        later = self.model.reload(frozenset(consent))

        async def ask() -> list[Outcome]:
            tasks = []
            for _ in range(callers):
                tasks.append(asyncio.create_task(self.engine.reload(None, *consent)))
                await asyncio.sleep(0)
            return list(await asyncio.gather(*tasks))

        outcomes = self._run(ask())
        assert outcomes[0].outcome == first.outcome
        assert {each.outcome for each in outcomes} <= {first.outcome, later.outcome}
        assert {each.new_commit for each in outcomes} == {first.commit}

    @rule(after=st.integers(0, 30), what=st.sampled_from(WHATS), value=st.booleans())
    def push_while_it_reloads(self, after: int, what: str = "", value: bool = False) -> None:
        """It ends as if the push had come before, or after; the next reload knows."""
        if self.model.head is None or not self.model.up:
            return
        possible = [self.model.reload()]

        async def race() -> Outcome:
            running = asyncio.create_task(self.engine.reload())
            for _ in range(after):
                await asyncio.sleep(0.001)
            self._push(str(self.model.head), what, value)
            return await running

        head = self.model.head
        outcome = self._run(race())
        possible.append(self.model.reload())
        ending = Ending(outcome.outcome, str(outcome.new_commit))
        assert ending in possible, (ending, possible)
        if ending.ok and (ending != possible[1] or ending.commit == head):
            pushed, self.model.head = self.model.head, head
            self.model.settle(ending)
            self.model.head = pushed
        else:
            self.model.settle(ending)
        self.reload()

    # -- what happens to the server ---------------------------------------------------------------

    @rule(call=st.integers(1, 12), consent=_consents)
    def kill_git(self, call: int, consent: tuple[Consent, ...] = ()) -> None:
        """The Nth git of a reload dies: it fails and changes nothing, or has not needed that git."""
        expected = self.model.reload(frozenset(consent))
        before = os.environ["PATH"]
        os.environ["PATH"] = self._git.path
        try:
            self._git.arm(call)
            outcome = self._run(self.engine.reload(None, *consent))
        finally:
            self._git.disarm()
            os.environ["PATH"] = before
        ending = Ending(outcome.outcome, str(outcome.new_commit))
        if ending.ok:
            assert ending == expected
        assert ending.ok or ending.commit == self.model.served
        self.model.settle(ending)

    @rule(damage=st.sampled_from((*DAMAGE, *[""] * 4)))
    def restart(self, damage: str = "") -> None:
        """What was served is served again, whatever became of the state file."""
        self._run(self.engine.__aexit__())
        spoil(self.place.state, damage, self._saved)
        if not damage and self.place.state.exists():
            shutil.rmtree(self._saved, ignore_errors=True)
            shutil.copytree(self.place.state, self._saved, symlinks=True)
        self._start()

    @rule()
    def delete_state(self) -> None:
        """The folder may be deleted at any time."""
        shutil.rmtree(self.place.state, ignore_errors=True)

    @rule()
    def commit_by_hand(self) -> None:
        """Somebody commits to the server's own branch, and pushes to nowhere."""
        author, model = self.place.remote.author, self.model
        author.reset(model.local)
        self._number += 1
        data = changed(model.data[model.local], self._number, "", False)
        author.write(data.files())
        commit = author.commit("by hand")
        author.push(self.place.git_dir)
        model.add(commit, model.local, data)
        model.local = commit

    @rule()
    def push_what_is_here(self) -> None:
        """What was committed by hand gets to the remote after all."""
        author = self.place.remote.author
        target = str(self.place.remote.path), f"+{self.model.local}:refs/heads/main"
        self._reachable(lambda: author.git("push", "-q", *target))
        self.model.head = self.model.local

    # -- what must always be so -------------------------------------------------------------------

    @invariant()
    def readers_see_one_commit_as_if_built_from_scratch(self) -> None:
        current = self.engine.snapshots.current
        assert current is not None
        assert current.commit == self.model.served
        if current.commit not in self._fresh:
            path = self._folder / "fresh.sqlite3"
            with opened(self.place.git_dir) as repository:
                build(repository, current.commit, path, self._policy.data)
            with asked(path) as reader:
                self._fresh[current.commit] = answers(reader)
        assert answers(current.reader) == self._fresh[current.commit]
        with current.lend() as reader:
            assert answers(reader) == self._fresh[current.commit]

    @invariant()
    def the_branch_is_where_it_must_be(self) -> None:
        assert self.place.branch == self.model.local
        assert not self.engine.reloader.busy

    # -- how it is done ---------------------------------------------------------------------------

    def _run(self, work: Any) -> Any:
        return self._loop.run(work)

    def _start(self) -> None:
        self.engine = Engine(self.place, policy=self._policy)
        self.engine.reloader.announced_retry_s = 0
        self._missed = False
        self._run(self.engine.__aenter__())
        self.model.served = self.model.local
        assert self.engine.commit == self.model.served, self.engine.outcomes

    def _reload(self, expected: Ending, *consent: Consent, **values: Any) -> None:
        """A reload that must end so, with readers asking all along."""
        model, old = self.model, self.model.served
        before = self.engine.view()["rows"]
        outcome = self._run(self._watched(expected, *consent, **values))
        self.seen.append(outcome.outcome)
        found = outcome.outcome, outcome.ok, outcome.old_commit, outcome.new_commit
        assert found == (expected.outcome, expected.ok, old, expected.commit), outcome
        assert outcome.no_changes == (expected.ok and expected.commit == old)
        assert (outcome.error is None) == outcome.ok
        if outcome.fetched:
            assert self.engine.journal.fresh == outcome.ok
        if outcome.changes or outcome.rebuilt:
            told = {name: (c.added, c.modified, c.removed) for name, c in outcome.changes.items()}
            assert told == changes(before, self.engine.view()["rows"])
        if outcome.fetched:
            model.settle(expected)

    async def _watched(self, expected: Ending, *consent: Consent, **values: Any) -> Outcome:
        running = asyncio.create_task(self.engine.reload(values.pop("announced", None), *consent, **values))
        old = self.model.served
        while not running.done():
            current = self.engine.snapshots.current
            assert current is not None
            assert current.commit in (old, expected.commit)
            assert current.reader.state("commit") == current.commit
            await asyncio.sleep(0.002)
        return await running

    def _announce(self, commit: str, named: str, consent: tuple[Consent, ...], **values: Any) -> None:
        """A webhook that asks the remote, for a commit that may be there or not."""
        expected = self.model.reload(frozenset(consent))
        if not expected.ok or self.model.contains(expected.commit, commit):
            self._reload(expected, *consent, announced=named, **values)
        elif not self._missed:
            self._announce_in_vain(named, expected, consent, **values)

    def _announce_in_vain(
        self, commit: str, expected: Ending, consent: tuple[Consent, ...], **values: Any
    ) -> None:
        """A webhook for what is not on the branch: it is told so, and served what is."""
        self._missed = True  # it is looked for from now on, at moments of its own: once in an engine's life
        outcome = self._run(self.engine.reload(commit, *consent, **values))
        found = outcome.outcome, outcome.ok, outcome.new_commit
        assert found == ("commit-not-on-branch", False, expected.commit)
        assert not self.engine.journal.fresh
        self.engine.journal.arrived()
        self.model.settle(expected)

    def _pick(self, number: int) -> str:
        known = list(self.model.data)
        return known[-1 - number % len(known)]

    def _push(self, parent: str, what: str, value: bool) -> None:
        author = self.place.remote.author
        author.reset(parent)
        self._number += 1
        before = self.model.data[parent]
        self._commit(parent, before.files(), changed(before, self._number, what, value))

    def _commit(self, parent: str | None, before: dict[str, Any], data: Data) -> None:
        author = self.place.remote.author
        after = data.files()
        author.write({path: text for path, text in after.items() if before.get(path, ...) != text})
        commit = author.commit("change")
        self._reachable(lambda: author.push(self.place.remote.path, force=True))
        self.model.add(commit, parent, data)
        self.model.head = commit

    def _reachable(self, work: Any) -> None:
        """Do something to the remote, which may be away from the server meanwhile."""
        if not self.model.up:
            self.place.remote.return_()
        work()
        if not self.model.up:
            self.place.remote.vanish()
