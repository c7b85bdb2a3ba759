"""Chinese claims against Chinese evidence."""

from __future__ import annotations

import pytest

from grounding.chinese import compare, is_chinese, quantities

TRIAL = "与安慰剂相比，阿仑膦酸钠使新发椎体骨折减少百分之四十七。髋部骨折风险无显著差异。左肺上叶见12毫米结节，未见胸腔积液。他汀组的死亡率低于对照组。"


@pytest.mark.parametrize(
    "claim",
    [
        "阿仑膦酸钠使新发椎体骨折减少47%。",
        "髋部骨折风险无明显差异。",
        "左肺上叶有1.2厘米结节。",
        "没有胸腔积液。",
        "他汀组的死亡率低于对照组。",
        "对照组的死亡率高于他汀组。",
    ],
)
def test_what_stands_there_is_supported(claim: str) -> None:
    assert compare(claim, TRIAL).verdict == "supports", compare(claim, TRIAL)


@pytest.mark.parametrize(
    "claim",
    [
        "阿仑膦酸钠使新发椎体骨折减少74%。",
        "阿仑膦酸钠使新发椎体骨折增加47%。",
        "阿仑膦酸钠没有使新发椎体骨折减少。",
        "右肺上叶有12毫米结节。",
        "左肺上叶有12厘米结节。",
        "可见胸腔积液。",
        "对照组的死亡率低于他汀组。",
    ],
)
def test_what_is_turned_around_is_refuted(claim: str) -> None:
    assert compare(claim, TRIAL).verdict == "refutes", compare(claim, TRIAL)


def test_another_subject_is_neutral() -> None:
    assert compare("维生素D可预防感冒。", TRIAL).verdict == "neutral"


def test_numerals_and_units() -> None:
    found = quantities("百分之二十五的患者在三个月后服用两毫克，共一百二十三例")
    assert [(round(q.number, 1), q.dimension) for q in found] == [(25, "share"), (3, "time"), (2, "mass"), (123, "")]


def test_language_is_told() -> None:
    assert [is_chinese(text) for text in ("维生素D可预防感冒。", "Vitamin D prevents colds.", "12 %")] == [
        True,
        False,
        False,
    ]
