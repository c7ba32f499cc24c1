"""The table at the board and that of the host."""

from __future__ import annotations

from edgeseq.report.bench_figures import FIGURES
from edgeseq_device.measuring.plain_table import LABELS


def test_a_row_at_the_board_is_called_as_in_the_hosts_table() -> None:
    host = {key: label for label, key, _show in FIGURES}
    assert {key: host.get(key) for key in LABELS} == LABELS
    assert {key for key in host if key.startswith("ram_")} <= {*LABELS, "ram_limit_peak_bytes"}
