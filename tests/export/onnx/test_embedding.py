"""The table stays int8: in the file, and in what ONNX Runtime makes of it when it loads."""

import numpy as np
import onnx
import onnxruntime as ort

from edgeseq_export import write_model
from edgeseq_export.spec import quantize_spec

ROWS, WIDTH = 300, 16


def initializers(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {each.name: onnx.numpy_helper.to_array(each) for each in model.graph.initializer}


def test_a_row_of_the_table_costs_its_int8_values_and_one_scale(make_text_spec) -> None:
    sizes = [
        len(write_model(quantize_spec(make_text_spec("bag-mean", rows=rows)), "onnx", "token id").content)
        for rows in (ROWS, ROWS + 1000)
    ]
    assert abs(sizes[1] - sizes[0] - 1000 * (WIDTH + 4)) < 32


def test_onnx_runtime_makes_no_float_table_of_it(make_text_spec, tmp_path) -> None:
    spec = quantize_spec(make_text_spec("gru"))
    model = write_model(spec, "onnx", "token id")
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    ort.InferenceSession(model.content, options, providers=["CPUExecutionProvider"])
    loaded = initializers(onnx.load(tmp_path / "optimized.onnx"))
    np.testing.assert_array_equal(loaded["words.weight.int8"], spec.layers[0].weight.values)
    floats = {name: each.size for name, each in loaded.items() if each.dtype == np.float32}
    assert max(floats.values()) < ROWS * WIDTH, floats
    assert "gru.weight_hh" in floats, "nothing was folded: a void test"


def test_no_weight_in_the_table_is_minus_128(make_text_spec) -> None:
    table = initializers(
        onnx.load_from_string(write_model(quantize_spec(make_text_spec("gru")), "onnx", "token id").content)
    )["words.weight.int8"]
    assert (table.dtype, table.shape, table.min()) == (np.int8, (ROWS, WIDTH), -127)
