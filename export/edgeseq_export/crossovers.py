"""From which width on one form is faster than another, as it was measured for each kind of core."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from edgeseq_export.forms import Format

Core = Literal["x86", "plain", "dotprod", "legacy"]
"""x86: with VNNI; plain: Armv8.0 without the int8 dot product (Cortex-A53, A72); dotprod: Armv8.2 with it
(Cortex-A76); legacy: tflite-runtime 2.14 on 32-bit Arm, whatever the core."""

Width = int | None
"""The smallest width from which the first of two forms wins; None: at no width that was measured."""

Crossovers = Mapping[str, Mapping[Core, Width]]
"""By a layer's kind. The width is a recurrent layer's hidden units, else the columns of the weight matrix."""

# Measured: T = 100 frames of 40 features, pooling last, one thread, ai-edge-litert 2.3.0 and onnxruntime
# 1.31.1. "fp32/int8" are thousands of instructions on the virtual Pi 4 (plain) and Pi 5 (dotprod) and
# microseconds on x86 with VNNI. legacy: microseconds of tflite-runtime 2.14.0 on x86, where the row-scale
# form took 771, 10617, 42333 and fp32 compute 171, 4395, 20982 for a GRU of 64, 256, 512; LSTM and rows
# fare alike. On Arm it executes 1.7 to 2.15 times as many instructions.
INT8_FROM: Mapping[Format, Crossovers] = {
    "tflite": {
        # H = 32 64 128 256. plain 1013/1060 1738/1669 4025/3505 11925/9649, dotprod 1007/1075 1726/1562
        # 4001/2849 11880/6692, x86 133/140 181/137 422/184 2552/414. One step from Python, H = 32 64 128
        # 512: plain 16.1/16.3 24.2/22.8 48.8/42.1 431/331, dotprod 16.1/16.7 24.2/22.2 48.8/36.6 431/212,
        # x86 1.64/1.62 2.18/1.78 3.93/2.37 122/13.6
        "GRU": {"x86": 64, "plain": 64, "dotprod": 64, "legacy": None},
        # H = 16 32 64 128. plain 861/899 1213/1204 2198/2023 5281/4487, dotprod 858/979 1206/1199 2183/1838
        # 5252/3538, x86 108/102 140/130 183/123 456/230. One step, H = 16 32 64 512: plain 14.5/14.8
        # 18.4/18.0 29.2/26.7 570/438, dotprod 14.5/16.0 18.4/18.3 29.2/25.5 570/275, x86 1.53/1.60
        # 1.83/1.71 2.53/1.98 176/16.8
        "LSTM": {"x86": 32, "plain": 32, "dotprod": 32, "legacy": None},
        # two pre-norm encoder blocks of D = 16 32 64 128 256, all layers alike. plain 2221/2460 3160/3403
        # 6577/6650 18425/17425 61978/56082, dotprod 2230/2574 3156/3006 6483/4881 17951/9917 60104/25125,
        # x86 196/211 240/239 498/368 2515/617 9154/3532; a convolution is the same product over joined
        # frames
        "Attention": {"x86": 32, "plain": 128, "dotprod": 32, "legacy": None},
        "Linear": {"x86": 32, "plain": 128, "dotprod": 32, "legacy": None},
        "CausalConv": {"x86": 32, "plain": 128, "dotprod": 32, "legacy": None},
    },
    "onnx": {
        # the fused fp32 operator against Scan, H = 128 256 384 512. plain 3735/10161 11321/17545
        # 23282/28205 39234/42786, dotprod 3734/8895 11320/14078 23281/21142 39232/30415, x86 382/1654
        # 2484/2823 6472/3224 15114/9088
        "GRU": {"x86": 384, "plain": None, "dotprod": 384},
        # the fused fp32 operator against DynamicQuantizeLSTM, H = 64 96 128 256. plain 1683/2223 2917/3551
        # 4496/5108 14270/13936, dotprod 1683/1681 2916/2586 4495/3601 14270/9292, x86 at 64 96
        # 128: 1.01/.71 of the operator's time, then 274/202 456/279
        "LSTM": {"x86": 64, "plain": 256, "dotprod": 96},
        # the encoder blocks again. plain 3413/3295 4573/4409 8253/7912 20220/18649 62202/54058, dotprod
        # 3407/3096 4572/3857 8252/6107 20215/12117 62198/29493, x86 307/267 369/339 699/429 3041/2173
        # 11200/4471
        "Attention": {"x86": 16, "plain": 16, "dotprod": 16},
        "Linear": {"x86": 16, "plain": 16, "dotprod": 16},
        "CausalConv": {"x86": 16, "plain": 16, "dotprod": 16},
    },
}
"""From which width on int8 compute is faster than fp32 compute of the same format, in whole sequences.
TFLite's step forms have the same crossovers, and must: they answer as the sequence form does."""

# One step from Python of a character model (67 tokens, embedding 64), fp32/int8: thousands of instructions,
# on x86 microseconds, the least of 12 interleaved rounds on a busy machine.
# GRU, H = 128 192 256 384 512: plain 132/186 174/230 226/280 365/406 541/573, dotprod 132/173 174/206 226/242
# 364/331 541/444, x86 13.5/16.3 20.3/20.3 27.9/21.4 46/29 63/39; two layers of 512: x86 163/82.
# LSTM, H = 96 128 192 256 384 512: plain 139/164 160/187 212/241 281/306 459/465 690/678, dotprod 138/153
# 160/170 212/210 280/256 459/366 690/508, x86 16.3/14.1 15.9/14.5 25.3/17.7 33.9/20.6 54/30 79/41.
# Transformer block of D = 64 128 256 512: plain 379/416 483/540 813/858 1986/1907, dotprod 379/406 482/507
# 814/746 at 64 128 256; two blocks on x86 75/76 110/98 202/144 1832/316.
# A GRU of 512 on plain counts 6 % more, but its fp32 weights are three times an A72's cache at every step,
# its int8 weights fit.
STEP_INT8_FROM: Crossovers = {
    "GRU": {"x86": 256, "plain": 512, "dotprod": 384},
    "LSTM": {"x86": 96, "plain": 512, "dotprod": 192},
    "Attention": {"x86": 128, "plain": 512, "dotprod": 256},
    "Linear": {"x86": 128, "plain": 512, "dotprod": 256},
    "CausalConv": {"x86": 128, "plain": 512, "dotprod": 256},
}
"""ONNX Runtime's step forms: from which width on int8 compute is faster than fp32 compute. The width is here
the smaller side of a weight matrix that is not recurrent: a head of a few classes gains nothing."""

# The chosen forms of both formats, TFLite/ONNX. GRU at H = 64 96: plain 1669/1498 2483/2490, dotprod
# 1562/1498 2151/2491, x86 at 32 64: 133/116 137/177. LSTM at H = 96 128: plain 3118/2917 4487/4496, dotprod
# 2619/2586 3538/3601, x86 at 128 256 384 512, ratios of 40 interleaved rounds: 1.09 1.02 .97 .96. Encoder
# blocks: TFLite at every width, but on plain only up to 128 (56082/54058 at 256), so that they have no entry.
TFLITE_FROM: Crossovers = {
    "GRU": {"x86": 64, "plain": 96, "dotprod": 96},
    "LSTM": {"x86": 384, "plain": 128, "dotprod": 128},
    "Attention": {"x86": 1, "dotprod": 1},
}
"""Whole sequences: from which width on TFLite's fastest int8 form is faster than ONNX Runtime's. On a core
that is not named no width decides."""

# The same where both compute in fp32, from an fp32 file or an int8 one. GRU at H = 32 128 512: plain 1028/749
# 4281/3705 41814/39206, dotprod 1104/763 4044/3719 41921/39219; x86 ratios at 128 256 384 512: 1.33 1.11 .93
# .90. LSTM: plain 1200/770 5588/4469 55477/50769, dotprod 1297/784 5269/4484 55615/50783, x86 1.57 1.11 .94
# .91. Encoder blocks at D = 32 128 256: plain 2475/3750 13112/14591 42850/43151, dotprod 2491/3754
# 12816/14602 41504/43161, x86 .77 .84 .90.
TFLITE_FROM_FP32: Crossovers = {
    "GRU": {"x86": 384, "plain": None, "dotprod": None},
    "LSTM": {"x86": 384, "plain": None, "dotprod": None},
    "Attention": {"x86": 1, "plain": 1, "dotprod": 1},
}

# Forecasters: 7 channels side by side, context 336, horizon 96, TFLite's chosen form/ONNX Runtime. SegRNN of
# segments of 24, GRU of 64 128 256 and LSTM of 128 in int8: plain 1423/1766 4253/4745 14743/15486 5619/5798,
# dotprod 988/1769 2296/4744 6703/15485 2992/5797, x86 63/175 136/404 409/1323 162/414. All in fp32: plain
# 1429/1768 4748/4745 16556/15486 6247/5798, dotprod 1650/1766 5572/4746 19709/15485 7342/5798, x86 87/160
# 282/388 1001/1354 342/413. PatchTST of D = 16 32: plain 7316/11409 13680/19030, dotprod 7071/11393
# 12478/19010, x86 at 16 709/1171, in fp32 677/1096. A loop over channels would take 7 times one channel's 37
# us where a GRU-128 takes 136.
FORECASTER_ONNX_FROM_FP32: Crossovers = {
    "GRU": {"x86": None, "plain": 128, "dotprod": 128},
    "LSTM": {"x86": None, "plain": 128, "dotprod": 128},
}
"""Forecasters that compute in fp32: from which width on ONNX Runtime is faster than TFLite. All others answer
faster in TFLite."""


@dataclass(frozen=True)
class Loop:
    """The loop over time of a recurrent layer in TFLite: how many frames one turn takes."""

    form: str
    frames: int


UNROLLED = (Loop("unrolled", 8), Loop("unrolled", 5), Loop("unrolled", 2))
SINGLE, NESTED = Loop("unrolled", 1), Loop("nested", 25)
LOOPS = (*UNROLLED, SINGLE, NESTED)


@dataclass(frozen=True)
class Unrolling:
    """bytes_max: of all copies of the recurrent weights; beyond: the loop of whatever is larger.

    whole_bytes_max: the same of a forecaster, whose channels all read a copy before the next is read, and
    whose frames are all unrolled or none.
    """

    bytes_max: int
    beyond: Loop
    whole_bytes_max: int


# XNNPACK keeps a copy of the weights for each unrolled frame, and every frame reads another one: what is
# larger than the cache is read from RAM at every frame, which a count of instructions does not show. Eight
# frames fit XNNPACK's tiles: on dotprod 1516 2744 6476 thousand instructions for a GRU of 64, 128, 256
# against 1528 2791 6585 with ten, on plain 1 % more. Ratios to ONNX Runtime's fp32 operator on x86, medians
# of four runs with 8, 5, 2, 1 frames and nested: GRU of 128 .68 .64 .74 .86 .93, of 256 .44 .43 .41 .44 .44,
# of 512 .32 .31 .32 .31 .30; an LSTM alike. On dotprod nested takes 5 % fewer instructions than one frame a
# turn, and as many on plain. The 14 segments of 7 channels, unrolled/nested, on x86: GRU of 64 in int8 63/92,
# of 128 136/171, in fp32 248/282, of 256 in int8 362/409, in fp32 (11 MB) 1573/1000.
UNROLLING: Mapping[Core, Unrolling] = {
    "x86": Unrolling(600_000, NESTED, 3_000_000),
    "plain": Unrolling(1_400_000, NESTED, 1_400_000),
    "dotprod": Unrolling(1_400_000, NESTED, 1_400_000),
    "legacy": Unrolling(600_000, SINGLE, 600_000),
}


def reaches(width: int, crossover: Width) -> bool:
    """Whether a layer this wide is where the form with that crossover wins."""
    return crossover is not None and width >= crossover
