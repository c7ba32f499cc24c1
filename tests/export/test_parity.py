import numpy as np
import pytest

from edgeseq_export.parity import compare

NAMES = ("a", "b")


def parity(answers, expected, tolerance=1e-3):
    return compare("x", np.array(answers, np.float32), "y", np.array(expected, np.float32), NAMES, tolerance)


def test_equal_answers_pass() -> None:
    assert parity([[1, 2], [3, 4]], [[1, 2], [3, 4]]).passed


def test_the_error_is_relative_to_the_largest_logit_and_names_the_worst_input() -> None:
    found = parity([[1, 2], [3, 101]], [[1, 2], [3, 100]])
    assert found.max_error == pytest.approx(0.01)
    assert found.worst == "b"
    assert not found.passed


def test_small_logits_are_compared_absolutely() -> None:
    assert parity([[0.0005, 0], [0, 1]], [[0, 0.0001], [0, 1]]).passed


def test_a_decision_that_differs_beyond_the_tolerance_fails() -> None:
    assert parity([[0, 0.1], [0, 1]], [[0.1, 0], [0, 1]], tolerance=0.05).flips == 1


def test_a_decision_within_the_tolerance_may_differ() -> None:
    assert parity([[0.5, 0.5004], [0, 1]], [[0.5004, 0.5], [0, 1]]).flips == 0


@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_an_answer_that_is_not_a_number_fails(poison) -> None:
    assert not parity([[poison, 2], [3, 4]], [[1, 2], [3, 4]]).passed


def test_answers_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="answers"):
        parity([[1, 2]], [[1, 2], [3, 4]])
