"""Everything that was measured, by part and dataset, and what the rows make of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.benchmarks.dataset import Dataset, Layout
from tests.benchmarks.measurements import Sample, Series
from tests.benchmarks.rows import ROWS, Growth, Judged, Row, judge

MAIN_RECORDS = 100_000


class Findings:
    """Series by (part, dataset); `rows` are those that were asked for."""

    def __init__(self, rows: tuple[Row, ...] = ROWS) -> None:
        self.rows = rows
        self.series: dict[tuple[str, Dataset], Series] = {}

    @property
    def datasets(self) -> list[Dataset]:
        """What was measured, flat ones and small ones first."""
        return sorted({dataset for _, dataset in self.series}, key=lambda d: (d.layout, d.records))

    @property
    def main(self) -> Dataset:
        """The dataset of the table that the bars are about: flat, of MAIN_RECORDS if that was measured."""
        flat = [dataset for dataset in self.datasets if dataset.layout == "flat"]
        return min(flat, key=lambda dataset: (abs(dataset.records - MAIN_RECORDS), dataset.records))

    def judged(self, dataset: Dataset) -> list[Judged]:
        """Every row that was measured on a dataset."""
        found = ((row, self.series.get((row.part, dataset))) for row in self.rows)
        return [judge(row, dataset, series) for row, series in found if series is not None]

    def growth(self) -> list[Growth]:
        """Our own work by the number of records, for layouts measured at two sizes or more."""
        by_layout = [Growth(layout, own) for layout, own in self._own_work()]
        return [growth for growth in by_layout if len(growth.own_ms) > 1]

    def missed(self) -> list[Judged]:
        """Rows whose bar was not cleared, those of the main table first."""
        judged = [row for dataset in self.datasets for row in self.judged(dataset) if not row.met]
        return sorted(judged, key=lambda row: row.dataset != self.main)

    def _own_work(self) -> Iterator[tuple[Layout, Mapping[int, Sample]]]:
        layouts: tuple[Layout, ...] = ("flat", "nested")
        for layout in layouts:
            yield (
                layout,
                {
                    dataset.records: Sample.of(series["own_ms"])
                    for (part, dataset), series in sorted(self.series.items(), key=lambda s: s[0][1].records)
                    if part == "one-change" and dataset.layout == layout
                },
            )
