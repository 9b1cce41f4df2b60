"""Doubt is data: bits that travel beside a fruit's values. One registry, in both languages.

A value that could not be measured is NaN, and a flag says why. A flag with `default_outlet` set
means that the fruit cannot be judged: it runs to the default outlet whatever the sheet says.
"""

from __future__ import annotations

from enum import IntFlag
from functools import lru_cache
from typing import NamedTuple


class Flag(IntFlag):
    """Bits of `FruitMeasurements.flags`, uint32."""

    NONE = 0
    OVERSIZE = 1 << 0
    TOUCHING = 1 << 1
    NOT_SEEN = 1 << 2
    FEW_VIEWS = 1 << 3
    FRAME_LOST = 1 << 4
    FRAME_REPEATED = 1 << 5
    FRAME_DAMAGED = 1 << 6
    FRAME_OUT_OF_ORDER = 1 << 7
    PULSE_JUMP = 1 << 8
    NO_WEIGHT = 1 << 9
    BAD_WEIGHT = 1 << 10
    NO_SPECTRUM = 1 << 11
    SPECTRUM_SATURATED = 1 << 12
    SPECTRUM_DARK = 1 << 13
    SPECTRUM_UNLIKE = 1 << 14
    SPECTRUM_DAMAGED = 1 << 15
    EXTRA_READING = 1 << 16
    LATE = 1 << 17
    UNLIKELY_SIZE = 1 << 18
    NO_COLOUR = 1 << 19
    OUT_OF_PLACE = 1 << 20
    GATES_SHUT = 1 << 21
    TOO_DARK = 1 << 22
    NO_MAP = 1 << 23
    TURN_UNSURE = 1 << 24
    BLURRED = 1 << 25


class FlagMeaning(NamedTuple):
    """What an operator reads, and whether the fruit can still be judged."""

    english: str
    chinese: str
    default_outlet: bool


FLAGS: dict[Flag, FlagMeaning] = {
    Flag.OVERSIZE: FlagMeaning("larger than a cup can carry", "果实超过果杯尺寸", True),
    Flag.TOUCHING: FlagMeaning("touches its neighbour", "与相邻果实接触", True),
    Flag.NOT_SEEN: FlagMeaning("no camera saw whole what was in the cup", "相机未看清", True),
    Flag.FEW_VIEWS: FlagMeaning("too little skin was seen", "看到的果面太少", True),
    Flag.FRAME_LOST: FlagMeaning("a frame was lost while it crossed", "经过时丢失图像", False),
    Flag.FRAME_REPEATED: FlagMeaning("a frame came twice while it crossed", "经过时图像重复", False),
    Flag.FRAME_DAMAGED: FlagMeaning("a frame was cut short or of the wrong size", "经过时图像损坏", False),
    Flag.FRAME_OUT_OF_ORDER: FlagMeaning("a frame came out of order", "经过时图像次序错误", False),
    Flag.PULSE_JUMP: FlagMeaning("the encoder jumped or ran back", "编码器跳变或倒转", True),
    Flag.NO_WEIGHT: FlagMeaning("the scale gave no reading", "没有称重读数", False),
    Flag.BAD_WEIGHT: FlagMeaning("the scale's reading is impossible", "称重读数不合理", False),
    Flag.NO_SPECTRUM: FlagMeaning("the spectrometer gave no scan", "没有光谱", False),
    Flag.SPECTRUM_SATURATED: FlagMeaning("the spectrum is saturated", "光谱饱和", False),
    Flag.SPECTRUM_DARK: FlagMeaning("the spectrum is too dark", "光谱过暗", False),
    Flag.SPECTRUM_UNLIKE: FlagMeaning("the spectrum is unlike the calibration set", "光谱与校准样本不符", False),
    Flag.SPECTRUM_DAMAGED: FlagMeaning("the spectrum has missing or impossible values", "光谱数据损坏", False),
    Flag.EXTRA_READING: FlagMeaning("a second reading came for the same cup", "同一果杯有重复读数", False),
    Flag.LATE: FlagMeaning("the decision came too late for its gate", "判定太晚，未能开门", False),
    Flag.UNLIKELY_SIZE: FlagMeaning("size and weight do not fit together", "尺寸与重量不一致", False),
    Flag.NO_COLOUR: FlagMeaning("its skin has no colour that fruit have", "果面颜色异常", False),
    Flag.OUT_OF_PLACE: FlagMeaning("not where its cup should be", "不在果杯应有的位置", True),
    Flag.GATES_SHUT: FlagMeaning("decided while the gates had to stay shut", "判定时分选门须保持关闭", True),
    Flag.TOO_DARK: FlagMeaning("pictures were too dark while it crossed", "经过时图像过暗", False),
    Flag.NO_MAP: FlagMeaning("its skin was not mapped in time", "果面展开图未及时完成", False),
    Flag.TURN_UNSURE: FlagMeaning("how it turned could not be seen", "看不出果实如何转动", False),
    Flag.BLURRED: FlagMeaning("a picture of it was blurred", "有图像模糊", False),
}

SENDS_TO_DEFAULT: int = sum(int(flag) for flag, meaning in FLAGS.items() if meaning.default_outlet)
"""Bits of the flags that no sheet can overrule."""


@lru_cache(maxsize=4096)  # fruit after fruit have the same few
def flag_names(bits: int) -> str:
    """`touching+no_weight`, in the order of the bits; empty for none."""
    return "+".join(flag.name.lower() for flag in FLAGS if bits & flag and flag.name)
