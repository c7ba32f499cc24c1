import pytest

from edgeseq_device.errors import UsageError
from edgeseq_export.budget import SizeCheck, parse_size, tensor_sizes, weight_bytes
from edgeseq_export.spec import quantize_spec


@pytest.mark.parametrize(
    ("text", "size"),
    [("100MB", 100_000_000), ("1.5 kB", 1500), ("512KiB", 524_288), ("4096", 4096), ("2mb", 2_000_000)],
)
def test_sizes_are_decimal_unless_they_say_i(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "10 parsecs", "-5MB", "0MB", "1e3MB", "9" * 400, "\u0661MB"])
def test_what_is_no_size_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="size"):
        parse_size(text)


def test_tensors_are_listed_largest_first_with_scales_counted(make_spec) -> None:
    sizes = tensor_sizes(quantize_spec(make_spec(features=12, hidden=24)))
    assert [size.bytes for size in sizes] == sorted((size.bytes for size in sizes), reverse=True)
    assert (sizes[0].name, sizes[0].dtype, sizes[0].bytes) == (
        "gru0.forward.weight_hh",
        "int8",
        72 * 24 + 72 * 4,
    )


def test_weight_bytes_count_matrices_only(make_spec) -> None:
    spec = make_spec(features=12, hidden=24, classes=5)
    assert weight_bytes(quantize_spec(spec)) == 72 * 12 + 72 * 24 + 5 * 24
    assert weight_bytes(spec) == 4 * weight_bytes(quantize_spec(spec))


def test_a_budget_holds_for_all_files_together() -> None:
    assert SizeCheck("onnx", {"model.onnx": 60, "manifest.json": 40}, 100).passed
    assert not SizeCheck("onnx", {"model.onnx": 60, "manifest.json": 41}, 100).passed
