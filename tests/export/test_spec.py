import numpy as np
import pytest

from edgeseq_export.quantize import QuantizedTensor
from edgeseq_export.spec import parameters, quantize_spec


def test_parameters_are_named_by_layer_direction_and_field(make_spec) -> None:
    names = list(parameters(make_spec(bidirectional=True)))
    assert names[:2] == ["gru0.forward.weight_ih", "gru0.forward.weight_hh"]
    assert "gru0.backward.bias_hh" in names
    assert names[-2:] == ["head.weight", "head.bias"]


def test_quantizing_turns_every_matrix_and_no_bias(make_spec) -> None:
    for name, value in parameters(quantize_spec(make_spec("lstm", layers=2, bidirectional=True))).items():
        assert isinstance(value, QuantizedTensor) == ("weight" in name), name


def test_quantizing_twice_changes_nothing(make_spec) -> None:
    once = parameters(quantize_spec(make_spec()))
    twice = parameters(quantize_spec(quantize_spec(make_spec())))
    for name, value in once.items():
        if isinstance(value, QuantizedTensor):
            assert np.array_equal(value.values, twice[name].values)


def test_a_weight_that_is_not_a_number_is_named(make_spec) -> None:
    spec = make_spec()
    spec.layers[0].forward.weight_hh[0, 0] = np.nan
    with pytest.raises(ValueError, match=r"gru0\.forward\.weight_hh"):
        quantize_spec(spec)
