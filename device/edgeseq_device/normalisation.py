"""Texts that look alike become one: Unicode's composed form and lower case, the same on every Python.

The answers are those of the normalizers NFC and Lowercase of Hugging Face's `tokenizers`, whose tables are of
another Unicode version than a Python's own; the tables here level out the difference.
"""

from __future__ import annotations

import re
import unicodedata

_LATER_MARKS = (
    *((0x7FD, 0x7FD), (0x890, 0x89F), (0x8CA, 0x8D3), (0x9FE, 0x9FE), (0xC3C, 0xC3C), (0xD3B, 0xD3C)),
    *((0xEBA, 0xEBA), (0x1715, 0x1715), (0x1ABF, 0x1AFF), (0x1DF6, 0x1DFA), (0xA82C, 0xA82C)),
    *((0x10D24, 0x10D27), (0x10D69, 0x10D6D), (0x10EAB, 0x10EAC), (0x10EFA, 0x10EFF), (0x10F46, 0x10F50)),
    *((0x10F82, 0x10F85), (0x11070, 0x11070), (0x1133B, 0x1133B), (0x11380, 0x113FF), (0x1145E, 0x1145E)),
    *((0x11839, 0x1183A), (0x1193D, 0x1193E), (0x11943, 0x11943), (0x119E0, 0x119E0), (0x11A34, 0x11A34)),
    *((0x11A47, 0x11A47), (0x11A99, 0x11A99), (0x11D42, 0x11D42), (0x11D44, 0x11D45), (0x11D97, 0x11D97)),
    *((0x11F41, 0x11F42), (0x16100, 0x1613F), (0x16D40, 0x16D7F), (0x16FF0, 0x16FF1), (0x1E08F, 0x1E08F)),
    *((0x1E130, 0x1E136), (0x1E2AE, 0x1E2AE), (0x1E2EC, 0x1E2EF), (0x1E4EC, 0x1E4EF), (0x1E5EE, 0x1E5EF)),
    *((0x1E6E3, 0x1E6E3), (0x1E6E6, 0x1E6E6), (0x1E6EE, 0x1E6EF), (0x1E6F5, 0x1E6F5)),
)
"""Marks that Unicode took in after version 9; to `tokenizers` they are letters, never reordered."""
_LATER_CAPITALS = (
    *((0x1C89, 0x1C89, 1), (0x2C2F, 0x2C2F, 48), (0xA7C0, 0xA7C0, 1), (0xA7CB, 0xA7CB, -42343)),
    *((0xA7CC, 0xA7CC, 1), (0xA7CE, 0xA7CE, 1), (0xA7D0, 0xA7D0, 1), (0xA7D2, 0xA7D2, 1)),
    *((0xA7D4, 0xA7D4, 1), (0xA7D6, 0xA7D6, 1), (0xA7D8, 0xA7D8, 1), (0xA7DA, 0xA7DA, 1)),
    *((0xA7DC, 0xA7DC, -42561), (0x10570, 0x1057A, 39), (0x1057C, 0x1058A, 39), (0x1058C, 0x10592, 39)),
    *((0x10594, 0x10595, 39), (0x10D50, 0x10D65, 32), (0x16EA0, 0x16EB8, 27)),
)
"""First, last and the way to the small letter: capitals of Unicode 14 to 17; Python 3.9 has version 13."""
_SMALL = {
    capital: capital + way for first, last, way in _LATER_CAPITALS for capital in range(first, last + 1)
}


def character_class(ranges: tuple[tuple[int, int], ...], *, negated: bool = False) -> str:
    """A regular expression for one code point in (or not in) the ranges, which every engine reads alike."""
    parts = (f"{_literal(first)}-{_literal(last)}" for first, last in ranges)
    return f"[{'^' if negated else ''}{''.join(parts)}]"


def _literal(code_point: int) -> str:
    return f"\\{chr(code_point)}" if chr(code_point) in "\\]^-[&~|" else chr(code_point)


_AT_LATER_MARKS = re.compile(f"({character_class(_LATER_MARKS)})")


def normalised(text: str, lowercase: bool) -> str:
    """The text in NFC (Unicode Annex 15) and, where asked for, in lower case, each character by itself."""
    if text.isascii():
        return text.lower() if lowercase else text
    composed = "".join(unicodedata.normalize("NFC", part) for part in _AT_LATER_MARKS.split(text))
    if not lowercase:
        return composed
    # Python alone has a rule for the last sigma of a word; a small one beforehand leaves it nothing to do.
    return composed.replace("\u03a3", "\u03c3").lower().translate(_SMALL)
