"""Hugging Face folders as teachers: a small BERT with a WordPiece tokenizer, made here."""

from __future__ import annotations

import builtins
import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from edgeseq import data
from edgeseq.cli import main
from edgeseq.distill.distillation import Distillation
from edgeseq.distill.huggingface import HuggingFaceTeacher
from edgeseq.distill.run import Watching, distill
from edgeseq.distill.teachers import check_teacher, open_teacher
from edgeseq_device.errors import DataError, UsageError

pytest.importorskip("transformers", reason="the extra edgeseq[huggingface] is not installed")
TEXTS = ["please turn off the lamp", "turn on that song", "now turn up the volume of the radio"]


def nobody(done: int, of: int) -> None: ...


def write_bert(
    folder: Path,
    labels: tuple[str, ...],
    *,
    classifier: bool = True,
    longest: int = 32,
    tokens: int | None = None,
    family: str = "Bert",
) -> None:
    """A BERT, or RoBERTa, of two layers with random weights, as save_pretrained writes it.

    longest: rows of its table of positions; tokens: as its tokenizer says, None for `longest`.
    """
    import transformers
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    pieces = Tokenizer(models.WordPiece(unk_token="[UNK]"))  # noqa: S106
    pieces.normalizer = normalizers.Lowercase()
    pieces.pre_tokenizer = pre_tokenizers.Whitespace()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    pieces.train_from_iterator(TEXTS, trainers.WordPieceTrainer(vocab_size=80, special_tokens=special))
    pieces.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)]
    )
    named = {"unk_token": "[UNK]", "pad_token": "[PAD]"}
    tokenizer = transformers.PreTrainedTokenizerFast(
        **named, tokenizer_object=pieces, model_max_length=tokens or longest
    )
    torch.manual_seed(0)
    config = getattr(transformers, f"{family}Config")(
        vocab_size=pieces.get_vocab_size(),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=longest,
        num_labels=len(labels),
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
    )
    head = "ForSequenceClassification" if classifier else "Model"
    getattr(transformers, family + head)(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a classifier with the tiny texts' labels, in an order of its own."""
    folder = tmp_path_factory.mktemp("bert")
    write_bert(folder, ("on", "louder", "off"))
    return folder


def test_a_folder_teaches_no_language_model(bert: Path, workplace: Path) -> None:
    ran = CliRunner().invoke(main, ["distill", "--teacher", str(bert), "--data", "tinyshakespeare"])
    assert ran.exit_code == 2
    assert "folder teaches classifiers, and tinyshakespeare is for the task lm; give a run" in ran.stderr


@pytest.fixture
def bert_teacher(bert: Path) -> HuggingFaceTeacher:
    """The same, opened."""
    teacher = open_teacher(str(bert))
    assert isinstance(teacher, HuggingFaceTeacher)
    return teacher


def test_it_answers_as_transformers_does_text_by_text(bert: Path, bert_teacher: HuggingFaceTeacher) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(bert).eval()
    tokenizer = AutoTokenizer.from_pretrained(bert)
    with torch.inference_mode():
        expected = [model(**tokenizer(text, return_tensors="pt")).logits[0].numpy() for text in TEXTS]
    np.testing.assert_allclose(bert_teacher.logits(TEXTS, nobody), np.stack(expected), atol=1e-5)
    assert bert_teacher.parameters == sum(each.numel() for each in model.parameters())


def test_its_labels_are_those_of_its_config_and_it_may_teach_on_texts(
    bert_teacher: HuggingFaceTeacher, tiny_texts: Path, tiny_series: Path
) -> None:
    assert bert_teacher.labels == ("on", "louder", "off")
    check_teacher(bert_teacher, data.load(str(tiny_texts)))
    with pytest.raises(DataError, match="answers text"):
        check_teacher(bert_teacher, data.load(str(tiny_series)))


def test_it_teaches_a_student_and_is_timed_through_torch(
    bert_teacher: HuggingFaceTeacher, texts_to_gru: Distillation, workplace: Path, quiet: Watching
) -> None:
    config = replace(texts_to_gru.config, teachers=(bert_teacher.source,), twin=None)
    recipe = replace(texts_to_gru.recipe, distill=config)
    found = distill(replace(texts_to_gru, recipe=recipe, teachers=(bert_teacher,)), "small", quiet)
    row = found.rows[0]
    assert (row.role, row.form) == ("teacher", "torch")
    assert row.bytes == row.model_bytes == 4 * bert_teacher.parameters
    assert row.latency_p50_ms > 0
    assert [each.role for each in found.rows[1:]] == ["distilled"] * 4
    assert found.warnings == ()


def test_texts_that_it_cuts_are_counted(bert_teacher: HuggingFaceTeacher) -> None:
    long = "lamp " * 40
    assert bert_teacher.cut([*TEXTS, long]) == 1
    assert np.isfinite(bert_teacher.logits([*TEXTS, long], nobody)).all()


def test_a_roberta_takes_fewer_tokens_than_its_table_of_positions_has_rows(tmp_path: Path) -> None:
    write_bert(tmp_path, ("on", "louder", "off"), family="Roberta", longest=34, tokens=10**30)
    teacher = open_teacher(str(tmp_path))
    assert teacher.max_tokens == 34 - 2  # its padding is token 1
    long = "lamp " * 40
    assert teacher.cut([*TEXTS, long]) == 1
    assert np.isfinite(teacher.logits([*TEXTS, long], nobody)).all()


def test_a_model_that_takes_less_than_its_files_say_is_refused_with_both(bert: Path) -> None:
    teacher = open_teacher(str(bert))
    assert isinstance(teacher, HuggingFaceTeacher)
    with pytest.raises(
        DataError, match=r"fails on 42 tokens .* by its files it takes 64 tokens; set model_max"
    ):
        replace(teacher, max_tokens=64).logits(["lamp " * 40], nobody)


def test_another_weight_makes_another_teacher(bert: Path, tmp_path: Path) -> None:
    write_bert(tmp_path, ("on", "louder", "off"), longest=64)
    assert open_teacher(str(tmp_path)).source.sha256 != open_teacher(str(bert)).source.sha256


def test_another_file_of_any_kind_but_a_pickle_makes_another_teacher(bert: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(bert, tmp_path / "copy"))
    first = open_teacher(str(folder)).source.sha256
    (folder / "training_args.bin").write_bytes(b"pickled")
    assert open_teacher(str(folder)).source.sha256 == first
    (folder / "parts").mkdir()
    (folder / "parts" / "spiece.vocab").write_text("lamp")
    assert open_teacher(str(folder)).source.sha256 != first


def test_an_adapter_of_another_model_is_refused(bert: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(bert, tmp_path / "copy"))
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(DataError, match=r"adapter_config\.json makes it an adapter .* merge the two"):
        open_teacher(str(folder))


def test_opening_leaves_the_environment_as_it_was(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    open_teacher(str(bert))
    assert "HF_HUB_OFFLINE" not in os.environ


def test_a_pickle_is_refused(bert: Path, tmp_path: Path) -> None:
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((bert / name).read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(DataError, match=r"no \.safetensors \(pytorch_model\.bin is a pickle"):
        open_teacher(str(tmp_path))


def test_a_model_whose_classifier_was_never_trained_is_refused(tmp_path: Path) -> None:
    write_bert(tmp_path, ("on", "louder", "off"), classifier=False)
    with pytest.raises(DataError, match=r"has no trained classifier\.bias; it is no finished classifier"):
        open_teacher(str(tmp_path))


def test_a_damaged_folder_is_refused_in_one_line(bert: Path, tmp_path: Path) -> None:
    for path in bert.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes()[: 2000 if "safetensors" in path.name else None])
    with pytest.raises(DataError, match=r"transformers cannot load it as a classifier: .+") as refused:
        open_teacher(str(tmp_path))
    assert "\n" not in str(refused.value)


def test_code_of_the_folder_s_own_is_never_run(bert: Path, tmp_path: Path) -> None:
    for path in bert.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {
        "model_type": "mine",
        "auto_map": {name: f"mine.{name}" for name in ("AutoConfig", "AutoModelForSequenceClassification")},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "mine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(DataError, match="cannot load it"):
        open_teacher(str(tmp_path))
    assert not (tmp_path / "ran").exists()


def test_without_transformers_the_extra_is_named(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "transformers":
            raise ModuleNotFoundError("No module named 'transformers'", name=name)
        return real(name, *rest)

    monkeypatch.delitem(sys.modules, "transformers", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=r"pip install 'edgeseq\[huggingface\]'"):
        open_teacher(str(bert))
