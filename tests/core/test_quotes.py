"""Quotes are accepted only when they stand there: 200 misquotes, 200 true quotes set as PDFs set them."""

from __future__ import annotations

import random
import re

import pytest

from core.quotes import find_quote, in_one_line

DRUGS = ("alendronate", "bisoprolol", "metformin", "first-line efficacy-guided warfarin", "fludarabine")
ENDS = ("fractures", "readmission", "mortality", "fibrillation", "postoperative inflammation")


def source(number: int) -> str:
    """A document of three sentences that no other number gives."""
    pick = random.Random(number)  # noqa: S311
    drug, end = pick.choice(DRUGS), pick.choice(ENDS)
    dose, n, low = pick.randint(2, 95), pick.randint(200, 9000), pick.randint(10, 60) / 100
    return (
        f"In trial {number}, {n} patients’ outcomes were “well-defined” before treatment. "
        f"Daily {drug} at {dose} mg reduced {end} by {low:.2f} "
        f"(95% CI {low - 0.05:.2f}–{low + 0.05:.2f}) at {dose + 3} weeks. "
        f"It did not increase bleeding in {n - 7} of those who were followed."
    )


def sentences(number: int) -> list[str]:
    return re.split(r"(?<=\.) (?=[DI])", source(number))


def typeset(quote: str, number: int) -> str:
    """As a PDF has it: ligatures, soft hyphens, broken lines, decomposed or typographic characters."""
    pick = random.Random(number)  # noqa: S311
    text = quote.replace("ffi", "ﬃ").replace("fl", "ﬂ").replace("fi", "ﬁ")
    words = text.split(" ")
    for place in range(2, len(words), 4):
        words[place] = "\n" + words[place]
    text = " ".join(words)
    long = [match.start() + 4 for match in re.finditer(r"[a-z]{9,}", text)]
    if long:
        cut = pick.choice(long)
        text = text[:cut] + pick.choice(["\u00ad", "-\n", "\u00ad\n"]) + text[cut:]
    return text.replace(" mg", "\u00a0mg")


def changed(quote: str, kind: int) -> str:
    if kind == 0:
        return re.sub(r"\d+(?= mg| patients| of)", lambda m: str(int(m[0]) + 1), quote, count=1)
    if kind == 1:
        return quote.replace(" mg", " g").replace(" patients", " persons").replace(" of those", " % of those")
    if kind == 2:
        return (
            quote.replace("did not increase", "did increase")
            .replace("reduced", "had not reduced")
            .replace("were", "were not")
        )
    if kind == 3:
        return quote.replace("increase", "decrease").replace("reduced", "increased").replace("before", "after")
    return quote[:-1].replace(quote.split()[-2], "", 1)


def test_no_misquote_is_accepted() -> None:
    misquotes = []
    for number in range(40):
        quote = sentences(number)[number % 3]
        misquotes += [(changed(quote, kind), number) for kind in range(4)]
        misquotes.append((quote, number + 1000))  # stands in another document
    assert len(misquotes) == 200
    assert all(bad != sentences(number)[number % 3] for bad, number in misquotes if number < 1000)
    assert [bad for bad, number in misquotes if find_quote(bad, typeset(source(number), number))] == []


def test_true_quotes_are_found_where_they_stand() -> None:
    found = 0
    for number in range(200):
        quote = sentences(number)[number % 3]
        text = typeset(source(number), number)
        span = find_quote(quote.replace("’", "'").replace("“", '"').replace("”", '"').replace("–", "-"), text)
        if span:
            found += 1
            assert find_quote(text[span[0] : span[1]], text) == span
            assert re.sub(r"\W", "", text[span[0] : span[1]])[-4:] == re.sub(r"\W", "", quote)[-4:]
    assert found >= 194


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ("5 mg", "They took 15 mg."),
        ("5 mg", "They took 2.5 mg."),
        ("fell by 12", "It fell by 12.5 points."),
        ("fell by 12", "It fell by 12% then."),
        ("3 was the mean", "-3 was the mean"),
        ("reduced fractures", "It has not reduced fractures."),
        ("10 cells", "10² cells"),
        ("106 cells", "10⁶ cells"),
        ("effective", "It was ineffective."),
        ("well known", "It is well-\nknown."),
        ("Fractures fell", "fractures fell"),
        ("", "anything"),
        ("...", "a ... b"),
    ],
)
def test_a_part_that_says_something_else_is_no_quote(quote: str, text: str) -> None:
    assert find_quote(quote, text) is None


@pytest.mark.parametrize(
    ("quote", "text", "there"),
    [
        ("well-known", "It is well-\nknown.", "well-\nknown"),
        ("fractures", "Many frac-\ntures.", "frac-\ntures"),
        ("efficacy", "The eﬃcacy.", "eﬃcacy"),
        ("Müller", "By Mu\u0308ller.", "Mu\u0308ller"),
        ("5 μg", "Give 5\u2009µg now.", "5\u2009µg"),
        ("10-20 mm", "About 10–20 mm.", "10–20 mm"),
    ],
)
def test_typesetting_is_forgiven(quote: str, text: str, there: str) -> None:
    span = find_quote(quote, text)
    assert span is not None
    assert text[span[0] : span[1]] == there


@pytest.mark.parametrize(
    ("page", "line"),
    [
        (
            "The difference in\nheight was 1.9 mm,\r\n  with an interval.",
            "The difference in height was 1.9 mm, with an interval.",
        ),
        ("a verte\u00ad\nbral frac\u00adture", "a vertebral fracture"),
        ("semi-\nquantitative", "semi- quantitative"),
    ],
)
def test_a_quote_runs_on_over_the_lines_of_a_page_and_is_found_in_it_again(page: str, line: str) -> None:
    assert in_one_line(page) == line
    if "semi" not in page:  # whether that hyphen belongs to the word is not known
        assert find_quote(line, page) == (0, len(page))
