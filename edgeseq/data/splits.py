"""Which recordings train, which validate, which test.

Test and validation are the data's own where the data has them; what it lacks is drawn.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeseq.data.dataset import Dataset, refuse_unknown_labels
from edgeseq.data.lineage import sha256_of
from edgeseq.draws import stream
from edgeseq_device.errors import DataError, UsageError

GROUP_DRAWS = 200  # seeded draws of groups; the one nearest to the wanted sizes and class shares is taken
VALIDATION_FRACTION = 0.1
VALIDATION_FRACTION_OF_FEW = 0.2  # a tenth of a small set is too few to choose an epoch by
FEW_RECORDINGS = 100
TEST_FRACTION = 0.2
NO_TEST = "the data's own splits have no test: it was drawn from training, as --test-fraction says"
MOVE = "move some of its recordings to training, remove them"
OTHER_GROUPS = "draw other groups with --split-seed, remove its recordings"


@dataclass(frozen=True)
class SplitOptions:
    """Fractions are of the recordings at hand: test of all, validation of what is left for training.

    `validation_fraction` None = the data's own validation split; where it has none 0.1, or 0.2 where fewer
    than 100 recordings are left for training. A fraction that is given draws validation anew, from training
    and the data's own validation together. `by_group`: no group (speaker, subject) may be in two splits.
    `test_fraction` is unused where the data gives its own test split; None = 0.2, and no test split of a text
    that a language model learns.
    """

    validation_fraction: float | None = None
    test_fraction: float | None = None
    by_group: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Splits:
    """Places in `Dataset.recordings`, ascending and disjoint; `origin` says in words how they came about."""

    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]
    origin: str
    warnings: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """Over the places in each split: a draw may come out otherwise under another version of numpy."""
        return sha256_of(json.dumps([self.train, self.validation, self.test]).encode())


def split_recordings(dataset: Dataset, options: SplitOptions | None = None) -> Splits:
    """Train, validation and test of a data set to classify; the same options always give the same split.

    Raises UsageError for fractions outside 0 to 1 or `by_group` on data without groups, DataError where a
    class or a group is too small to be in each split, where there is a single class or nothing to train on,
    where only some recordings have a split of their own, and where a held-out label is not in training.
    """
    options = options or SplitOptions()
    _check(dataset, options)
    _check_trainable(dataset)
    kept, warnings = _kept(dataset, options)
    train, validation, test = _sides(dataset, kept, options)
    known = {dataset.recordings[i].label for i in train}
    held_out = (dataset.recordings[i] for i in (*validation, *test))
    remedy = OTHER_GROUPS if options.by_group else MOVE
    refuse_unknown_labels(held_out, known, dataset.name, "the training data", remedy)
    drawn = "drawn by group" if options.by_group else "drawn by class"
    words = {side: _giver(dataset) if side in kept else drawn for side in ("test", "validation")}
    origin = f"test {words['test']}, validation {words['validation']}"
    warnings += _repeated_texts(dataset, train, validation, test)
    return Splits(tuple(train), tuple(validation), tuple(test), origin, tuple(warnings))


def _sides(dataset: Dataset, kept: set[str], options: SplitOptions) -> tuple[list[int], list[int], list[int]]:
    """Train, validation and test; of the last two, what is not kept is drawn from the rest."""
    validation, test = (_own(dataset, side) if side in kept else [] for side in ("validation", "test"))
    rest = [i for i in range(len(dataset.recordings)) if i not in {*validation, *test}]
    lacking = [side for side in ("test", "validation") if side not in kept]
    if lacking and not options.by_group:
        _check_enough(dataset, rest, lacking)
    if "test" in lacking:
        fraction = options.test_fraction or TEST_FRACTION
        test = _held_out(dataset, rest, fraction, options, "test")
        rest = sorted(set(rest) - set(test))
    if "validation" in lacking:
        usual = VALIDATION_FRACTION if len(rest) >= FEW_RECORDINGS else VALIDATION_FRACTION_OF_FEW
        validation = _held_out(dataset, rest, options.validation_fraction or usual, options, "validation")
        rest = sorted(set(rest) - set(validation))
    return rest, validation, test


def _kept(dataset: Dataset, options: SplitOptions) -> tuple[set[str], list[str]]:
    """Which of the data's own validation and test splits stay, and a warning where one does not."""
    own = {str(recording.split) for recording in dataset.recordings} & {"validation", "test"}
    if "test" in own and options.by_group and (shared := _shared_groups(dataset, "test")):
        warning = (
            f"the test split {_giver(dataset)} shares {len(shared)} groups with training"
            f" (such as {shared[0]}); it was set aside for a split by group"
        )
        return set(), [warning]
    warnings = [NO_TEST] if "test" not in own and any(each.split for each in dataset.recordings) else []
    if "validation" not in own:
        return own, warnings
    if options.validation_fraction is not None:
        reason = f"--validation-fraction {options.validation_fraction}"
    elif options.by_group and (shared := _shared_groups(dataset, "validation")):
        reason = f"it shares {len(shared)} groups with training (such as {shared[0]})"
    else:
        return own, warnings
    return own - {"validation"}, [
        *warnings,
        f"the data's own validation split was put to training, and validation drawn from there: {reason}",
    ]


def _own(dataset: Dataset, side: str) -> list[int]:
    """The places that the data itself gives to one side."""
    return [i for i, recording in enumerate(dataset.recordings) if recording.split == side]


def check_fractions(options: SplitOptions) -> None:
    """Raises UsageError for a fraction outside 0 to 1."""
    for name in ("validation_fraction", "test_fraction"):
        fraction = getattr(options, name)
        if fraction is not None and not 0 < fraction < 1:
            raise UsageError(f"--{name.replace('_', '-')} {fraction} is not between 0 and 1")


def _check(dataset: Dataset, options: SplitOptions) -> None:
    check_fractions(options)
    if options.seed < 0:
        raise UsageError(f"--split-seed {options.seed} is not a whole number from 0 up")
    if options.by_group:
        for recording in dataset.recordings:
            if recording.group is None:
                raise UsageError(f"{dataset.name}: {recording.name} has no group; --by-group needs one")


def _check_trainable(dataset: Dataset) -> None:
    if len(dataset.labels) == 1:
        raise DataError(
            f'{dataset.name}: every recording has the label "{dataset.labels[0]}";'
            " a classifier needs two classes or more"
        )
    given = [recording.split for recording in dataset.recordings]
    if None in given and any(given):
        without = dataset.recordings[given.index(None)].name
        raise DataError(f"{dataset.name}: {without}: has no split where others have one")
    if None not in given:
        needed = ("train",) if dataset.test_pattern is None else ("train", "test")
        for lacking in needed:
            if lacking not in given:
                raise DataError(f"{dataset.name}: {_one_sided(dataset)}; none is left to {lacking} on")


def _one_sided(dataset: Dataset) -> str:
    n = len(dataset.recordings)
    sides = sorted({str(recording.split) for recording in dataset.recordings})
    if dataset.test_pattern is None:
        return f"every recording belongs to the {' or '.join(sides)} split"
    share = "all" if sides == ["test"] else "none"
    return f"--test-pattern {dataset.test_pattern!r} matches {share} of {n} recordings"


def _check_enough(dataset: Dataset, places: Sequence[int], sides: Sequence[str]) -> None:
    """Raises DataError naming each class that cannot give a recording to each side and keep one."""
    members: dict[str, list[str]] = {}
    for i in places:
        members.setdefault(dataset.recordings[i].label, []).append(dataset.recordings[i].name)
    few = {label: names for label, names in members.items() if len(names) <= len(sides)}
    if few:
        found = ", ".join(
            f'"{label}" has {len(few[label])} ({", ".join(few[label])})' for label in sorted(few)
        )
        it, words = ("it", "class") if len(few) == 1 else ("them", "classes")
        raise DataError(
            f"{dataset.name}: too few recordings to draw {' and '.join(sides)}: the {words} {found};"
            f" a class needs {len(sides) + 1} or more: add recordings of {it}, or remove {it}"
        )


def _giver(dataset: Dataset) -> str:
    return "given by the data" if dataset.test_pattern is None else "by --test-pattern"


def _shared_groups(dataset: Dataset, side: str) -> list[str]:
    """The groups that are in a split of the data's own and, too, in one that is trained on with it."""
    others = {"train"} if side == "validation" else {"train", "validation"}
    groups = [{str(r.group) for r in dataset.recordings if r.split in sides} for sides in ({side}, others)]
    return sorted(groups[0] & groups[1])


def _repeated_texts(
    dataset: Dataset, train: Sequence[int], validation: Sequence[int], test: Sequence[int]
) -> list[str]:
    """A warning for each held-out split with texts that training has, too, to the letter."""
    if dataset.kind != "text":
        return []
    trained = {dataset.recordings[i].samples for i in train}
    warnings = []
    for side, places in (("validation", validation), ("test", test)):
        count = sum(dataset.recordings[i].samples in trained for i in places)
        if count:
            warnings.append(f"{count} of {len(places)} {side} texts are in the training split, too")
    return warnings


def _held_out(
    dataset: Dataset, places: Sequence[int], fraction: float, options: SplitOptions, what: str
) -> list[int]:
    """About `fraction` of `places`. Test and validation draw from streams of their own under one seed."""
    generator = stream(f"{what} split", options.seed)
    draw = _draw_groups if options.by_group else _draw_by_class
    return sorted(draw(dataset, places, fraction, generator, what))


def _draw_by_class(
    dataset: Dataset, places: Sequence[int], fraction: float, generator: np.random.Generator, what: str
) -> list[int]:
    """`fraction` of each class, at least one recording, and at least one stays behind."""
    _check_enough(dataset, places, [what])
    taken: list[int] = []
    for label in dataset.labels:
        members = [i for i in places if dataset.recordings[i].label == label]
        count = min(max(1, round(fraction * len(members))), len(members) - 1)
        taken += [members[i] for i in generator.permutation(len(members))[: max(count, 0)]]
    return taken


def _draw_groups(
    dataset: Dataset, places: Sequence[int], fraction: float, generator: np.random.Generator, what: str
) -> list[int]:
    """Whole groups, at least one, leaving at least one: the draw nearest to `fraction` of each class."""
    groups = sorted({str(dataset.recordings[i].group) for i in places})
    if len(groups) < 2:
        raise DataError(
            f"{dataset.name}: only {len(groups)} group left when the {what} split is drawn; it needs two"
        )
    table = _class_counts(dataset, places, groups)  # [groups, classes]
    wanted = fraction * table.sum(axis=0)
    best: tuple[float, list[int]] = (np.inf, [])
    for _ in range(GROUP_DRAWS):
        order = generator.permutation(len(groups))
        sums = np.cumsum(table[order], axis=0)[:-1]
        left_out = ((sums == table.sum(axis=0)) & (sums > 0)).any(axis=1)  # no class may lose all it has
        error = np.abs(sums - wanted).sum(axis=1) + np.where(left_out, len(places), 0)
        count = int(np.argmin(error)) + 1
        if error[count - 1] < best[0]:
            best = (float(error[count - 1]), sorted(order[:count].tolist()))
    chosen = {groups[i] for i in best[1]}
    return [i for i in places if str(dataset.recordings[i].group) in chosen]


def _class_counts(dataset: Dataset, places: Sequence[int], groups: Sequence[str]) -> NDArray[np.int64]:
    counts = Counter((str(dataset.recordings[i].group), dataset.recordings[i].label) for i in places)
    return np.array([[counts[group, label] for label in dataset.labels] for group in groups])
