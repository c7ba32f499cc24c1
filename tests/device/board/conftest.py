"""A board that a small artifact is deployed to with quick workers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeseq_device.board.deploy import carry_out
from edgeseq_device.board.deploy_order import Order
from edgeseq_device.board.deployed import Deployed
from edgeseq_device.durable import TEMPORARY

Send = Callable[..., dict[str, Any]]
MakeWorker = Callable[[str], tuple[str, ...]]
Leftovers = Callable[[], list[Path]]
WELL = {
    "parity_error": 1e-5,
    "parity_tolerance": 1e-3,
    "parity_n": 16,
    "parity_decisions_changed": 0,
    "parity_ok": True,
}


@pytest.fixture
def make_worker(tmp_path: Path) -> MakeWorker:
    """Gives the argv prefix of a worker that is this sh script: a real one takes half a second."""

    def make(script: str) -> tuple[str, ...]:
        path = tmp_path / f"worker-{abs(hash(script))}.sh"
        path.write_text(script)
        return ("/bin/sh", str(path))

    return make


@pytest.fixture
def well(make_worker: MakeWorker) -> tuple[str, ...]:
    """A worker whose model is in parity."""
    return make_worker(f"cat >/dev/null; echo '{json.dumps({'values': WELL, 'runtime': 'runtime 1.0'})}'")


@pytest.fixture
def order(tmp_path: Path, pristine_artifact: Path, well: tuple[str, ...]) -> Order:
    """Deploy the small artifact with a quick worker."""
    root = tmp_path / "board" / ".edgeseq"
    return Order(
        "deploy",
        str(root),
        "gestures-gru-int8",
        str(pristine_artifact),
        deployed_utc="2031-02-03T04:05:06+00:00",
        host="desk",
        worker_command=well,
    )


@pytest.fixture
def board(order: Order) -> Deployed:
    return Deployed(Path(order.root), "gestures-gru-int8")


@pytest.fixture
def send(tmp_path: Path, order: Order) -> Send:
    """Deploys with an agent archive of the given content: each content makes another version."""

    def deploy(content: str = "first", **changes: Any) -> dict[str, Any]:
        archive = tmp_path / "agent.pyz"
        archive.write_text(content)
        return carry_out(replace(order, **changes), archive, lambda _event: None)

    return deploy


@pytest.fixture
def roll_back(tmp_path: Path, order: Order) -> Send:
    def back(**changes: Any) -> dict[str, Any]:
        return carry_out(
            replace(order, action="rollback", artifact=None, **changes), tmp_path, lambda _event: None
        )

    return back


@pytest.fixture
def leftovers(board: Deployed) -> Leftovers:
    """What is not finished yet in the board's folder."""
    return lambda: [each for each in board.folder.rglob("*") if each.name.startswith(TEMPORARY)]
