"""A Chinese sentence against Chinese evidence: numbers and units, sides, negation, direction, comparison, shared words.

Rules only: the entailment model reads English. A claim in one language and evidence in another cannot be matched beyond
numbers, and is called neutral.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from grounding.quantities import Quantity, agrees, quantities_of

_HAN = re.compile(r"[\u4e00-\u9fff]")
_DIGITS = {char: n for n, char in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_NUMERAL = re.compile(r"[零〇一二三四五六七八九两十百千万]{1,9}(?:点[零〇一二三四五六七八九]+)?(?=%|个|名|例|位|毫|厘|米|克|千克|公斤|微|天|日|周|星期|月|年|岁|小时|分钟|次|倍|级|分|度|升|成)")  # fmt: skip
_UNITS = (
    ("百分点", "percentage points"), ("毫米汞柱", "mmHg"), ("毫米", "mm"), ("厘米", "cm"), ("毫克", "mg"), ("微克", "µg"), ("千克", "kg"), ("公斤", "kg"),
    ("毫升", "ml"), ("小时", "hours"), ("分钟", "minutes"), ("个月", "months"), ("星期", "weeks"), ("个星期", "weeks"), ("周", "weeks"), ("天", "days"),
    ("日龄", "days"), ("年", "years"), ("岁", "years"), ("毫摩尔/升", "mmol/L"), ("克/升", "g/L"), ("克", "g"), ("倍", "fold"), ("升", "L"), ("米", "m"),
)  # fmt: skip
_UP = "升高|增加|上升|增多|提高|增高|增强|加重|延长|上调|增大|增长|促进|加快|加速|恶化|变长|更高|较高|更多|较多|更长|较长|更大|高于|多于|大于|长于|更常见|偏高|扩大|激活"
_DOWN = "降低|减少|下降|减轻|缩短|下调|减小|降至|减弱|抑制|缓解|减缓|延缓|变短|更低|较低|更少|较少|更短|较短|更小|低于|少于|小于|短于|更少见|偏低|缩小|预防|避免"
_GOOD, _BAD = "改善|好转|优于|更好|有效|受益", "恶化|劣于|更差|无效|有害"
_NEGATION = re.compile(
    r"没有|并未|并非|未能|未见|未发现|未观察|未出现|未|无(?!论|线|创|数|菌|机|氧|效)|不(?!良|同|仅|但|断|足|适|孕|稳|整|全|明|等|宁)|否认|缺乏|缺少|排除|阴性"
)
_NO_CHANGE = re.compile(r"无(?:显著|明显|统计学)?(?:差异|差别|影响|变化|关联|相关)|没有(?:显著|明显)?(?:差异|影响|变化|关联)|不(?:影响|变)|差异无|相似|相当|相同|持平")  # fmt: skip
_SIDES = ("左", "右", "上叶", "下叶", "近端", "远端", "男", "女", "儿童", "成人", "老年", "孕妇", "术前", "术后", "轻度", "中度", "重度", "急性", "慢性", "良性", "恶性")  # fmt: skip
_EXCLUDING = (("左", "右"), ("上叶", "下叶"), ("近端", "远端"), ("男", "女"), ("儿童", "成人", "老年", "孕妇"), ("术前", "术后"),
              ("轻度", "中度", "重度"), ("急性", "慢性"), ("良性", "恶性"))  # fmt: skip
_FILLER = re.compile(
    r"[的了是在和与及或者也都被把对于中为有其该这那之所可能会患者病人显示表明研究发现结果，。、；：！？“”（）()\s\d.%]"
)
_COMPARED = re.compile(
    r"(.{1,12}?)(?:比|高于|低于|多于|少于|优于|劣于|大于|小于|长于|短于|较)(.{1,12}?)(?:更|高|低|多|少|长|短|好|差|明显|显著|，|。|$)"
)


def is_chinese(text: str) -> bool:
    """Whether a good part of the letters are Chinese characters."""
    letters = sum(char.isalpha() for char in text)
    return letters > 0 and len(_HAN.findall(text)) >= 0.3 * letters


@dataclass(frozen=True)
class ChineseVerdict:
    """What was found, why, and the sentence that decides."""

    verdict: str
    because: str
    sentence: str


def split(text: str) -> list[str]:
    """Sentences of a Chinese text."""
    return [part.strip() for part in re.split(r"(?<=[。！？；\n])", text) if part.strip()]


def compare(claim: str, evidence: str) -> ChineseVerdict:
    """Supports, refutes or neutral, by the sentence of the evidence that shares most with the claim."""
    parts = split(evidence) or [evidence]
    best = max(parts, key=lambda part: _likeness(claim, part))
    shared = _likeness(claim, best)
    if shared < 0.34:
        return ChineseVerdict("neutral", "证据没有谈到这一点 (the evidence is about something else)", best)
    for rule in (_numbers, _groups, _order, _meaning):
        fault = rule(claim, best)
        if fault:
            return ChineseVerdict("refutes", fault, best)
    if shared < 0.55:
        return ChineseVerdict("neutral", "只有部分内容见于证据 (only part of the claim is in the evidence)", best)
    return ChineseVerdict(
        "supports", "数字、方向、否定与用词均与证据一致 (numbers, direction, negation and words agree)", best
    )


def _likeness(claim: str, part: str) -> float:
    mine, theirs = _pairs(claim), _pairs(part)
    return len(mine & theirs) / max(len(mine), 1)


def _pairs(text: str) -> frozenset[str]:
    plain = re.sub("|".join((_UP, _DOWN, _GOOD, _BAD)), " ", text)
    plain = _FILLER.sub(" ", _NEGATION.sub(" ", plain))
    return frozenset(run[i : i + 2] for run in plain.split() for i in range(max(len(run) - 1, 1)))


def quantities(text: str) -> tuple[Quantity, ...]:
    """Numbers with their units, Chinese numerals and 百分之 read."""
    text = text.replace("％", "%")
    text = re.sub(r"百分之([零〇一二三四五六七八九十百两点\d.]+)", lambda m: f"{_numeral(m[1])}%", text)
    text = re.sub(r"([一二三四五六七八九])成", lambda m: f"{10 * _DIGITS[m[1]]}%", text)
    text = _NUMERAL.sub(lambda m: f"{_numeral(m.group())}", text)
    for name, unit in _UNITS:
        text = re.sub(rf"(?<=\d){name}", f" {unit} ", text)
    return quantities_of(_HAN.sub(" ", text))


def _numeral(text: str) -> str:
    if re.fullmatch(r"[\d.]+", text):
        return text
    whole, _, rest = text.partition("点")
    total = section = digit = 0
    for char in whole:
        if char in _DIGITS:
            digit = _DIGITS[char]
        elif char == "万":
            total, section, digit = (total + section + digit) * 10000, 0, 0
        elif char in "十百千":
            section += (digit or 1) * {"十": 10, "百": 100, "千": 1000}[char]
            digit = 0
    number = str(total + section + digit)
    return f"{number}.{''.join(str(_DIGITS[char]) for char in rest)}" if rest else number


def _numbers(claim: str, part: str) -> str:
    known = quantities(part)
    for mine in quantities(claim):
        if not any(agrees(mine, theirs, claim + part) for theirs in known):
            return f"证据中没有 {mine.text.strip()} ({mine.text.strip()} is not in the evidence)"
    return ""


def _groups(claim: str, part: str) -> str:
    for group in _EXCLUDING:
        mine = {word for word in group if word in claim}
        theirs = {word for word in group if word in part}
        if mine and theirs and not mine & theirs:
            return f"证据说的是{'、'.join(sorted(theirs))} (the evidence says otherwise than {'、'.join(sorted(mine))})"
    return ""


def _order(claim: str, part: str) -> str:
    mine, theirs = _COMPARED.search(claim), _COMPARED.search(part)
    if mine is None or theirs is None:
        return ""
    straight = _likeness(mine[1], theirs[1]) + _likeness(mine[2], theirs[2])
    crossed = _likeness(mine[1], theirs[2]) + _likeness(mine[2], theirs[1])
    same = _pole(claim) == _pole(part)
    if crossed > straight and same and _pole(claim):
        return "比较的双方被颠倒 (the two sides of the comparison are exchanged)"
    if straight > crossed and not same and _pole(claim) and _pole(part):
        return "比较的方向相反 (the comparison is reversed)"
    return ""


def _pole(text: str) -> int:
    up, down = len(re.findall(_UP, text)), len(re.findall(_DOWN, text))
    up += bool(re.search(r"比.{1,16}(?:高|多|长|大|常见)", text))
    down += bool(re.search(r"比.{1,16}(?:低|少|短|小)", text))
    return (up > down) - (down > up)


def _meaning(claim: str, part: str) -> str:
    still = bool(_NO_CHANGE.search(claim)), bool(_NO_CHANGE.search(part))
    if still[0] != still[1] and (still[0] or still[1]) and (_pole(claim) or _pole(part)):
        return "一方说无差异，另一方说有变化 (one says no difference, the other a change)"
    clause = max(re.split(r"[，；,;]", part), key=lambda piece: _likeness(claim, piece))
    negated = bool(_NEGATION.search(claim)), bool(_NEGATION.search(clause))
    if negated[0] != negated[1] and not all(still):
        return "否定与证据不符 (negation differs)"
    if not _COMPARED.search(claim) and _pole(claim) * _pole(clause) < 0:
        return "方向与证据相反 (direction is reversed)"
    good = bool(re.search(_GOOD, claim)) - bool(re.search(_BAD, claim))
    if good * (bool(re.search(_GOOD, clause)) - bool(re.search(_BAD, clause))) < 0:
        return "好坏与证据相反 (better and worse are exchanged)"
    return ""
