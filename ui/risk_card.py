"""The risk card of a turn: estimate with its interval beside the base rate, and what drove it. Pure: a turn in, HTML out.

Everything stands in the turn's own evidence, so an old answer shows the card it was given and not one made today.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.types import CallRecord, Finding, RecordEvent, Table, Turn
from ui.render import chip, text

_TOOL = "predict_outcome"
_DRIVERS = ("Variable", "Moved by")
_BASE_RATE, _SUBGROUP = "base rate", "observed/expected"


@dataclass(frozen=True)
class DriverRow:
    """A variable, by how much it moved the estimate (log-odds), and where its events stand in the record."""

    variable: str
    log_odds: float
    said: str
    sources: tuple[str, ...]
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class RiskView:
    """What the card shows. `estimate` is None where the model gave none; then `why` says why."""

    estimate: Finding | None
    base_rate: Finding | None
    subgroup: Finding | None
    drivers: tuple[DriverRow, ...]
    others: tuple[Table, ...]
    warnings: tuple[str, ...]
    why: str


def risk_view(turn: Turn | None) -> RiskView | None:
    """The card of a turn's last estimate; None when none was asked for."""
    calls = [] if turn is None else [call for call in turn.calls if call.name == _TOOL and call.status == "done"]
    if turn is None or not calls:
        return None
    findings = [item for item in turn.evidence if isinstance(item, Finding)]
    base = next((place for place, item in enumerate(findings) if item.name == _BASE_RATE), len(findings))
    # The tool states the estimate and then its base rate; other tools of the turn state shares with intervals too.
    estimate = next((item for item in reversed(findings[:base]) if item.unit == "%" and item.interval is not None), None)
    tables = turn.answer.tables if turn.answer is not None else ()
    moved = [table for table in tables if table.columns[:2] == _DRIVERS]
    return RiskView(
        estimate=estimate,
        base_rate=next((item for item in findings if item.name == _BASE_RATE), None),
        subgroup=next((item for item in findings if item.name.startswith(_SUBGROUP)), None),
        drivers=tuple(row for table in moved for row in _drivers(table, turn)),
        others=tuple(table for table in tables if table not in moved) if estimate else (),
        warnings=calls[-1].warnings,
        why=_why(calls[-1]) if estimate is None else "",
    )


def _why(call: CallRecord) -> str:
    return call.summary


def _drivers(table: Table, turn: Turn) -> Iterator[DriverRow]:
    for row in table.rows:
        events = [turn.evidence[place] for place in row.evidence if 0 <= place < len(turn.evidence)]
        try:
            moved = float(row.cells[1])
        except (IndexError, ValueError):
            continue
        yield DriverRow(
            variable=row.cells[0],
            log_odds=moved,
            said=row.cells[2] if len(row.cells) > 2 else "",
            sources=tuple(event.source for event in events if isinstance(event, RecordEvent)),
            evidence=tuple(event.id for event in events),
        )


def risk_html(turn: Turn | None) -> str:
    """The card; nothing when the turn has no estimate."""
    view = risk_view(turn)
    if turn is None or view is None:
        return ""
    if view.estimate is None:
        return (
            '<section class="risk" aria-label="Risk card"><h3>No estimate</h3>'
            f"<p data-content>{text(view.why)}</p>{_warnings(view.warnings)}</section>"
        )
    return (
        '<section class="risk" aria-label="Risk card"><h3>Estimated risk</h3>'
        f"{_figure(view)}<p data-content>{text(view.estimate.statement)} {chip(turn.id, view.estimate.id)}</p>"
        f"{_subgroup(view.subgroup, turn)}{_driver_list(view.drivers, turn)}{_warnings(view.warnings)}</section>"
    )


def _figure(view: RiskView) -> str:
    """A scale from 0 to 100 %: the interval as a bar, the estimate as a dot on it, the base rate as a line across."""
    estimate = view.estimate
    if estimate is None or estimate.interval is None:
        return ""
    value, (low, high) = float(estimate.value or 0), estimate.interval
    base = float(view.base_rate.value or 0) if view.base_rate is not None else None
    # A risk of a few percent must not vanish at the end of a scale to 100 %.
    top = next(limit for limit in (10, 20, 50, 100) if max(high, value, base or 0) <= limit * 0.9 or limit == 100)
    place = [f"{100 * min(number, top) / top:.2f}" for number in (value, low, high, base or 0)]
    width = f"{max(float(place[2]) - float(place[1]), 0.6):.2f}"
    line = f'<i class="base" style="inset-inline-start:{place[3]}%"></i>' if base is not None else ""
    ticks = "".join(f'<span style="inset-inline-start:{25 * step}%">{top * step / 4:g} %</span>' for step in range(5))
    beside = f'<span><i class="key base"></i><span>Base rate</span> <b>{base:g} %</b></span>' if base is not None else ""
    return (
        f'<div class="estimate"><strong class="figure">{value:g} %</strong>'
        '<span class="legend"><span><i class="key range"></i><span>Interval</span> '
        f'<b class="figure">{low:g}–{high:g} %</b></span>'
        f"{beside}</span></div>"
        f'<div class="scale" role="img" aria-label="{value:g} %, interval {low:g} to {high:g} %'
        f'{f", base rate {base:g} %" if base is not None else ""}">'
        f'<i class="range" style="inset-inline-start:{place[1]}%;inline-size:{width}%"></i>{line}'
        f'<i class="dot" style="inset-inline-start:{place[0]}%"></i></div>'
        f'<div class="ticks" aria-hidden="true">{ticks}</div>'
    )


def _subgroup(finding: Finding | None, turn: Turn) -> str:
    return f'<p class="quiet" data-content>{text(finding.statement)} {chip(turn.id, finding.id)}</p>' if finding else ""


def _driver_list(drivers: Sequence[DriverRow], turn: Turn) -> str:
    if not drivers:
        return ""
    most = max(abs(driver.log_odds) for driver in drivers) or 1.0
    rows = "".join(_driver_html(driver, most, turn) for driver in drivers)
    return (
        "<h4>What moved the estimate, in log odds</h4>"
        '<p class="quiet">The sensitivity of the model, not causes. Press a row to see its entries on the timeline.</p>'
        f'<ul class="drivers">{rows}</ul>'
    )


def _driver_html(driver: DriverRow, most: float, turn: Turn) -> str:
    share = 50 * abs(driver.log_odds) / most
    side = "up" if driver.log_odds > 0 else "down"
    sources = text("\n".join(driver.sources))
    cites = "".join(chip(turn.id, number) for number in driver.evidence)
    words = "raises" if side == "up" else "lowers"
    return (
        f'<li><button type="button" class="driver" data-events="{sources}" aria-pressed="false" title="{text(driver.said)}">'
        f'<span class="name">{text(driver.variable)}</span>'
        f'<span class="bar" aria-hidden="true"><i class="{side}" style="inline-size:{share:.1f}%"></i></span>'
        f'<span class="moved figure">{driver.log_odds:+.2f}</span><span class="sr">{words}</span></button>'
        f'<span class="cites">{cites}</span></li>'
    )


def _warnings(lines: Sequence[str]) -> str:
    items = "".join(f"<li>{text(line)}</li>" for line in dict.fromkeys(lines))
    return f'<ul class="limits" data-content>{items}</ul>' if items else ""
