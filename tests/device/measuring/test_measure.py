from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edgeseq_device.measuring.measure import (
    STEADY_RUNS_MAX,
    bootstrap_p50,
    compare_logits,
    median_and_spread,
    steady_state,
    summarise_latency,
    warm_up,
)
from edgeseq_device.measuring.request import Limits


class Machine:
    """A clock that only runs while the model runs, for `cost_ns(run number)`."""

    def __init__(self, cost_ns: Callable[[int], int]) -> None:
        self.now_ns, self.runs, self.cost_ns = 0, 0, cost_ns

    def run(self) -> None:
        self.now_ns += self.cost_ns(self.runs)
        self.runs += 1

    def clock_ns(self) -> int:
        return self.now_ns


LIMITS = Limits(
    warmup_runs=10, warmup_s=0.5, warmup_max_s=5.0, steady_runs=100, steady_s=1.0, steady_max_s=3.0
)


def test_warm_up_lasts_until_both_count_and_time_are_reached() -> None:
    machine = Machine(lambda _run: 1_000_000)  # 1 ms: the count is reached long before the time
    result = warm_up(machine.run, LIMITS, machine.clock_ns)
    assert result.settled
    assert 0.5 <= result.seconds < 0.6
    slow = Machine(lambda _run: 400_000_000)  # 0.4 s: the time is reached long before the count
    assert warm_up(slow.run, LIMITS, slow.clock_ns).runs >= 10


def test_warm_up_goes_on_while_the_windows_still_differ() -> None:
    machine = Machine(lambda run: max(1_000_000, 40_000_000 - 500_000 * run))  # 1.6 s until it is fast
    result = warm_up(machine.run, LIMITS, machine.clock_ns)
    assert result.settled
    assert result.runs > 78


def test_warm_up_that_never_settles_ends_and_says_so() -> None:
    machine = Machine(lambda run: 1_000_000 * (1 + run))
    result = warm_up(machine.run, LIMITS, machine.clock_ns)
    assert not result.settled
    assert result.seconds >= 5.0


def test_what_comes_before_a_run_is_done_each_time_and_not_measured() -> None:
    machine = Machine(lambda _run: 5_000_000)
    pauses: list[int] = []

    def before() -> None:
        machine.now_ns += 1_000_000
        pauses.append(machine.runs)

    warm = warm_up(machine.run, LIMITS, machine.clock_ns, before)
    durations = steady_state(machine.run, LIMITS, machine.clock_ns, before)
    assert set(durations) == {5_000_000}
    assert pauses == list(range(warm.runs + len(durations)))


@pytest.mark.parametrize(
    ("cost_ns", "runs"),
    [
        (1_000_000, 1000),  # the time decides
        (20_000_000, 100),  # the count decides
        (100_000_000, 30),  # cut off at 3 s
        (10, STEADY_RUNS_MAX),
    ],
)
def test_steady_state_has_enough_runs_and_time_and_an_end(cost_ns: int, runs: int) -> None:
    machine = Machine(lambda _run: cost_ns)
    durations = steady_state(machine.run, LIMITS, machine.clock_ns)
    assert durations == [cost_ns] * runs


def test_percentiles_are_those_of_all_launches_together() -> None:
    values, missing = summarise_latency(
        [range(1_000_000, 301_000_000, 1_000_000), range(301_000_000, 601_000_000, 1_000_000)]
    )
    assert missing == {}
    assert values["latency_n"] == 600
    assert values["latency_launches"] == 2
    assert values["latency_p50_ms"] == pytest.approx(300.5)
    assert values["latency_p90_ms"] == pytest.approx(540.1)
    assert values["latency_p99_ms"] == pytest.approx(594.01)
    assert values["latency_spread_percent"] == pytest.approx(100 * 300 / 300.5)
    assert not any("min" in name for name in values)


@pytest.mark.parametrize(("samples", "has_p99"), [(499, False), (500, True)])
def test_p99_takes_500_samples(samples: int, has_p99: bool) -> None:
    values, missing = summarise_latency([[1_000_000] * samples])
    assert (values["latency_p99_ms"] is not None) == has_p99
    assert (missing.get("latency_p99_ms") is None) == has_p99
    assert missing["latency_spread_percent"] == "one process launch has no spread"


def test_the_interval_of_p50_repeats_and_holds_the_median() -> None:
    samples = np.random.default_rng(1).exponential(size=400)
    low, high = bootstrap_p50([samples])
    assert (low, high) == bootstrap_p50([samples])
    assert low < np.median(samples) < high
    assert high - low < 0.5


def test_the_interval_of_p50_grows_with_what_differs_between_launches() -> None:
    samples = np.random.default_rng(1).normal(10, 0.1, 300)
    alike = bootstrap_p50([samples, samples, samples])
    apart = bootstrap_p50([samples, samples + 3, samples + 6])
    assert apart[1] - apart[0] > 10 * (alike[1] - alike[0])


def test_parity_is_relative_to_the_largest_logit_of_each_recording() -> None:
    reference = [[1000.0, 0.0], [0.5, 0.0]]
    assert compare_logits([[1000.5, 0.0], [0.5, 0.0]], reference, 1e-3).ok
    within_the_largest_only = compare_logits([[1000.0, 0.0], [1.0, 0.0]], reference, 1e-3)
    assert not within_the_largest_only.ok
    assert within_the_largest_only.error == pytest.approx(0.5)


def test_a_decision_may_change_only_where_the_reference_was_undecided() -> None:
    tie = compare_logits([[1.0, 1.0005]], [[1.0, 0.9995]], 1e-3)
    assert (tie.decisions_changed, tie.ok) == (0, True)
    changed = compare_logits([[0.0, 1.0]], [[1.0, 0.0]], 2.0)
    assert changed.ok  # a margin of 1 is within a tolerance of 2
    sure = compare_logits([[0.0, 1.0], [5.0, 0.0]], [[1.0, 0.0], [5.0, 0.0]], 0.5)
    assert (sure.decisions_changed, sure.ok) == (1, False)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_answer_that_is_no_number_is_out_of_parity(value: float) -> None:
    forecast = compare_logits([[value, 0.0]], [[1.0, 0.0]], 1e-3, decides=False)
    assert (forecast.error, forecast.decisions_changed, forecast.ok) == (None, 0, False)
    parity = compare_logits([[value, 0.0]], [[1.0, 0.0]], 1e-3)
    assert (parity.error, parity.decisions_changed, parity.ok) == (None, 1, False)


def test_spread_is_in_percent_of_the_median() -> None:
    assert median_and_spread([99, 100, 102]) == (100, 3)


def test_a_forecast_decides_nothing_and_may_be_one_number() -> None:
    apart = compare_logits([[0.0, 1.0]], [[1.0, 0.0]], 2.0, decides=False)
    assert (apart.error, apart.decisions_changed, apart.ok) == (1.0, 0, True)
    assert compare_logits([[1.0]], [[1.0005]], 1e-3, decides=False).ok
