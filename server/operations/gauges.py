"""The state as gauges, computed at each scrape, so that they are never out of date."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from reload.lane.journal import Journal
from reload.lane.poller import Poller
from reload.lane.reloader import Reloader
from reload.repository.disk import free_bytes
from reload.snapshot.snapshot import Snapshot, Snapshots


class Gauges(Collector):
    """The served snapshot, the remote, the reloads and the poller, now."""

    def __init__(
        self,
        snapshots: Snapshots,
        journal: Journal,
        reloader: Reloader,
        poller: Poller,
        log_lines_dropped: Callable[[], int],
        folders: Mapping[str, Path],
    ) -> None:
        self._snapshots = snapshots
        self._journal = journal
        self._reloader = reloader
        self._poller = poller
        self._log_lines_dropped = log_lines_dropped
        self._folders = folders

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Every gauge."""
        current, journal = self._snapshots.current, self._journal
        records = current.served.records if current else {}
        problems = dict.fromkeys(records, 0) | (journal.rejected.counts if journal.rejected else {})
        yield _gauge("livesheets_fresh", "Whether what is served is what the remote has.", journal.fresh)
        yield _by_sheet("livesheets_records", "Records served.", records)
        text = "Problems of the commit that was refused, by its own sheets; '' for files of no sheet."
        yield _by_sheet("livesheets_problems", text, problems)
        listing = current.listing if current else None
        text = "Quarantined records and warnings of the commit that is served, by sheet."
        yield _by_sheet("livesheets_listed_problems", text, listing.counts if listing else {})
        text = "Records served in their last readable version, or not at all."
        quarantined = listing.quarantined_count if listing else 0
        yield _gauge("livesheets_records_quarantined", text, quarantined)
        yield from self._reloads()
        yield from _served(current)
        lines = self._log_lines_dropped()
        yield _gauge(
            "livesheets_log_lines_dropped", "Log lines dropped because the reader was too slow.", lines
        )
        yield _free(self._folders)

    def _reloads(self) -> Iterator[GaugeMetricFamily]:
        reloader, poller, journal = self._reloader, self._poller, self._journal
        yield _gauge("livesheets_reload_running", "Whether a reload runs.", reloader.busy)
        yield _gauge("livesheets_reload_waiting", "Whether another reload waits for it.", reloader.queued)
        failures = journal.consecutive_failures
        yield _gauge(
            "livesheets_reload_consecutive_failures", "Reloads that failed since the last good one.", failures
        )
        yield _gauge(
            "livesheets_poll_interval_seconds",
            "How often the remote is polled, 0 for never.",
            poller.interval_s,
        )
        if poller.next_at is not None:
            moment = poller.next_at.timestamp()
            yield _gauge("livesheets_poll_next_timestamp_seconds", "When the remote is polled next.", moment)
        reached = journal.remote.last_reached_at
        if reached is not None:
            name = "livesheets_remote_last_reached_timestamp_seconds"
            yield _gauge(name, "When the remote last answered.", reached.timestamp())


def _served(current: Snapshot | None) -> Iterator[GaugeMetricFamily]:
    if current is None:
        return
    info = GaugeMetricFamily("livesheets_served_commit_info", "The commit served.", labels=("commit",))
    info.add_metric((current.commit,), 1)
    yield info
    committed = current.served.committed_at.timestamp()
    yield _gauge("livesheets_served_commit_timestamp_seconds", "When the served commit was made.", committed)


def _free(folders: Mapping[str, Path]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "livesheets_disk_free_bytes", "Room on the disk below a folder.", labels=("folder",)
    )
    for name, path in folders.items():
        with contextlib.suppress(OSError):  # a disk that is gone has no sample
            family.add_metric((name,), free_bytes(path))
    return family


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=float(value))


def _by_sheet(name: str, text: str, values: Mapping[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=("sheet",))
    for sheet, value in values.items():
        family.add_metric((sheet,), value)
    return family
