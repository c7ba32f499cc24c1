"""The table in a TFLite file: int8, stored once for both forms, looked up once for a whole sequence."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgeseq_export import write_model
from edgeseq_export.spec import quantize_spec

ROWS, WIDTH = 300, 16


def opened(content: bytes) -> schema.ModelT:
    return schema.ModelT.InitFromPackedBuf(content, 0)


def test_a_row_of_the_table_costs_its_int8_values_and_one_scale(make_text_spec) -> None:
    """In both forms together: they share it."""
    sizes = [
        len(write_model(quantize_spec(make_text_spec("bag-mean", rows=rows)), "tflite", "token id").content)
        for rows in (ROWS, ROWS + 1000)
    ]
    assert abs(sizes[1] - sizes[0] - 1000 * (WIDTH + 4)) < 32


@pytest.mark.parametrize("kind", ["gru", "bi-gru"])
def test_a_sequence_looks_its_rows_up_before_the_loop_over_time(kind, make_text_spec) -> None:
    """Values and scales, in the graph itself and in the step's."""
    model = opened(write_model(quantize_spec(make_text_spec(kind, 3)), "tflite", "token id").content)
    gather = schema.BuiltinOperator.GATHER
    codes = [index for index, each in enumerate(model.operatorCodes) if each.builtinCode == gather]
    counts = {
        graph.name.decode(): sum(each.opcodeIndex in codes for each in graph.operators)
        for graph in model.subgraphs
    }
    assert counts.pop("main") == 2
    assert counts.pop("step", 2) == 2
    assert len(counts) >= 4
    assert not any(counts.values())


def test_no_weight_in_the_table_is_minus_128(make_text_spec) -> None:
    model = opened(write_model(quantize_spec(make_text_spec("gru")), "tflite", "token id").content)
    table = next(each for each in model.subgraphs[0].tensors if each.name == b"words.weight")
    values = model.buffers[table.buffer].data.astype(np.uint8).view(np.int8)
    assert (table.type, values.size, values.min()) == (schema.TensorType.INT8, ROWS * WIDTH, -127)
