from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeseq_device.artifact import open_artifact, sha256_of
from edgeseq_device.board.deploy import carry_out
from edgeseq_device.board.deploy_order import Order, order_to_dict, parse_order
from edgeseq_device.board.deployed import Deployed
from edgeseq_device.errors import DataError, UsageError

Send = Callable[..., dict[str, Any]]
MakeWorker = Callable[[str], tuple[str, ...]]
Leftovers = Callable[[], list[Path]]
NAME, UTC = "gestures-gru-int8", "2031-02-03T04:05:06+00:00"
"""Of the order that `send` gives."""


def test_a_deployed_version_has_answered_its_golden_vectors_in_real_workers(
    order: Order, board: Deployed, tmp_path: Path
) -> None:
    events: list[Mapping[str, Any]] = []
    (tmp_path / "agent.pyz").write_text("agent")
    result = carry_out(replace(order, worker_command=None), tmp_path / "agent.pyz", events.append)
    assert (result["switched"], result["refused_because"], result["exit_code"]) == (True, None, 0)
    assert [each["format"] for each in result["formats"]] == ["onnx", "tflite"]
    for each in result["formats"]:
        assert each["parity"]["ok"]
        assert each["step_parity"]["ok"]
        assert each["parity"]["n"] == 16
    said = [event["doing"] for event in events]
    assert said.index("switching") > said.index("health check: golden vectors, tflite step")
    link = board.folder / "current"
    assert str(link.readlink()) == f"versions/{result['key']}"
    assert open_artifact(link / "artifact").name == "gestures-gru-int8-generic"
    assert (link / "edgeseq_device.pyz").read_text() == "agent"
    assert json.loads((link / "deployed.json").read_text())["deployed_utc"] == UTC
    assert Path(order.root).stat().st_mode & 0o077 == 0


def test_the_same_again_switches_nothing_and_is_checked_all_the_same(
    send: Send, board: Deployed, make_worker: MakeWorker
) -> None:
    first = send()
    again = send()
    assert (again["switched"], again["key"], again["previous"]) == (False, first["key"], None)
    assert again["formats"] == first["formats"]
    assert len(board.history()) == 1
    crash = make_worker("kill -9 $$")
    assert send(worker_command=crash)["refused_because"]
    assert board.current == first["key"]


def test_rolling_back_goes_to_the_version_before_each_time(
    send: Send, roll_back: Send, board: Deployed
) -> None:
    keys = [send(content)["key"] for content in ("a", "b", "c")]
    assert board.current == keys[2]
    assert (roll_back()["current"], roll_back()["current"]) == (keys[1], keys[0])
    with pytest.raises(UsageError, match="no version before"):
        roll_back()
    assert board.current == keys[0]


def test_going_back_follows_the_order_of_deployments_not_of_versions(
    send: Send, roll_back: Send, board: Deployed
) -> None:
    a, b = send("a")["key"], send("b")["key"]
    assert send("a")["switched"]
    assert board.current == a
    assert [roll_back()["current"] for _ in range(2)] == [b, a]
    with pytest.raises(UsageError):
        roll_back()


def test_the_versions_that_were_deployed_last_are_kept(send: Send, roll_back: Send, board: Deployed) -> None:
    keys = [send(content)["key"] for content in "abcd"]
    assert sorted(board.kept()) == sorted(keys[1:])
    result = send("e", keep=2)
    assert sorted(result["removed"]) == sorted(keys[1:3])
    assert result["previous"] == keys[3]
    assert roll_back()["current"] == keys[3]
    with pytest.raises(UsageError):
        roll_back()


def test_a_version_that_was_rolled_back_can_be_deployed_again(send: Send, roll_back: Send) -> None:
    first, second = send("a")["key"], send("b")["key"]
    roll_back()
    result = send("b")
    assert (result["switched"], result["current"], result["previous"]) == (True, second, first)


def bundle_of(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for each in folder.iterdir():
            archive.write(each, each.name)
    return path


def test_a_bundle_is_deployed_and_one_that_was_changed_on_its_way_is_not(
    send: Send, board: Deployed, pristine_artifact: Path, tmp_path: Path, leftovers: Leftovers
) -> None:
    bundle = bundle_of(pristine_artifact, tmp_path / "bundle.zip")
    sha256 = sha256_of(bundle)
    first = send(artifact=str(bundle), artifact_sha256=sha256)
    content = bytearray(bundle.read_bytes())
    content[100] ^= 1
    bundle.write_bytes(content)
    with pytest.raises(DataError, match="changed on its way"):
        send("b", artifact=str(bundle), artifact_sha256=sha256)
    assert (board.current, board.kept(), leftovers()) == (first["key"], [first["key"]], [])


def test_a_list_says_what_is_current_when_it_came_and_how_large_it_is(
    send: Send, order: Order, tmp_path: Path
) -> None:
    keys = [send("a")["key"], send("b", deployed_utc="2032-01-01T00:00:00+00:00")["key"]]
    send(name="another")
    asked = replace(order, action="list", artifact=None, name=None)
    other, listed = carry_out(asked, tmp_path, lambda _event: None)["deployed"]
    assert (other["name"], listed["name"]) == ("another", NAME)
    assert (listed["current"], listed["previous"]) == (keys[1], keys[0])
    assert [each["key"] for each in listed["versions"]] == [keys[1], keys[0]]
    assert listed["versions"][0]["deployed_utc"] == "2032-01-01T00:00:00+00:00"
    assert listed["versions"][1]["deployed_utc"] == UTC
    assert all(each["size_bytes"] > 10_000 and each["host"] == "desk" for each in listed["versions"])
    with pytest.raises(
        UsageError, match="nothing-such: not deployed on this board; deployed there: another, gest"
    ):
        carry_out(replace(asked, name="nothing-such"), tmp_path, lambda _event: None)


def test_without_a_name_the_only_one_there_is_rolled_back(send: Send, roll_back: Send) -> None:
    with pytest.raises(UsageError, match="nothing is deployed on this board"):
        roll_back(name=None)
    first = send("a")["key"]
    send("b")
    assert roll_back(name=None)["current"] == first
    send(name="another")
    with pytest.raises(UsageError, match=f"another, {NAME}"):
        roll_back(name=None)


def test_a_lost_history_costs_the_way_back_only(send: Send, roll_back: Send, board: Deployed) -> None:
    send("a")
    second = send("b")["key"]
    (board.folder / "history.json").unlink()
    assert board.current == second
    with pytest.raises(UsageError):
        roll_back()
    third = send("c")
    assert (third["current"], third["previous"]) == (board.current, second)


def test_a_history_that_is_none_is_named(send: Send, board: Deployed) -> None:
    send()
    (board.folder / "history.json").write_text("[3]")
    with pytest.raises(DataError, match=r"history\.json: not a history of deployments"):
        send("b")


def test_a_current_that_somebody_else_put_there_is_left_alone(
    send: Send, board: Deployed, tmp_path: Path
) -> None:
    send()
    (board.folder / "current").unlink()
    (board.folder / "current").symlink_to(tmp_path)
    with pytest.raises(DataError, match="not the link that edgeseq made"):
        send("b")
    assert str((board.folder / "current").readlink()) == str(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../else"},
        {"name": "a b"},
        {"name": 'a"b'},
        {"name": "a;b"},
        {"name": "$(reboot)"},
        {"name": "a\n"},
        {"name": "-a"},
        {"name": ".a"},
        {"name": ""},
        {"name": "a" * 65},
        {"unit": "-H.service"},
        {"unit": "a b"},
        {"unit": "a;b"},
        {"unit": "a\n"},
        {"unit": "a/b"},
        {"keep": 1},
        {"root": "relative"},
        {"action": "remove"},
        {"action": "rollback"},
        {"artifact": None},
        {"surprise": 1},
    ],
)
def test_an_order_that_is_none_is_refused(order: Order, change: dict[str, Any]) -> None:
    raw = order_to_dict(order)
    assert parse_order(raw) == order
    with pytest.raises(DataError):
        parse_order({**raw, **change})
