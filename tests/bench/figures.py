"""A figure, and how all of them are shown: an aligned table, then one line of JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass


class NotMeasured(Exception):
    """A measurement could not be made; str() says why."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One row. value: None when it was not measured, then `why` says so. budget: DESIGN section 9; None without one."""

    measure: str
    value: float | None
    unit: str = ""
    budget: float | None = None
    why: str = ""
    below: bool = False  # the budget itself is already too much
    above: bool = False  # the budget is the least that will do

    @property
    def met(self) -> bool | None:
        """Whether the budget is kept; None where there is no budget or no figure."""
        if self.value is None or self.budget is None:
            return None
        if self.above:
            return self.value >= self.budget
        return self.value < self.budget if self.below else self.value <= self.budget

    @property
    def row(self) -> tuple[str, str, str, str]:
        """measure, figure, budget, met or missed."""
        if self.value is None:
            return self.measure, f"not measured: {self.why}", "", ""
        sign = ">=" if self.above else "<" if self.below else "<="
        budget = "" if self.budget is None else f"{sign} {self.budget:g}{self._unit}"
        verdict = {None: "", True: "met", False: "MISSED"}[self.met]
        return self.measure, f"{_short(self.value)}{self._unit}", budget, verdict

    @property
    def _unit(self) -> str:
        return f" {self.unit}" if self.unit else ""


def _short(value: float) -> str:
    return f"{value:.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:.3g}"


def table(figures: Sequence[Figure]) -> str:
    """All rows, each column as wide as it needs."""
    rows = [("measure", "figure", "budget", ""), *(f.row for f in figures)]
    # A reason may be long; it must not push the columns of all the others away.
    measured = [("", "", "", ""), *(r for f, r in zip(figures, rows[1:], strict=True) if f.value is not None)]
    widths = [max(len(r[0]) for r in rows), max(len("figure"), *(len(r[1]) for r in measured)),
              max(len("budget"), *(len(r[2]) for r in measured))]  # fmt: skip
    return "\n".join(f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c:<{widths[2]}}  {d}".rstrip() for a, b, c, d in rows)


def as_json(figures: Sequence[Figure], facts: dict[str, str | float]) -> str:
    """One line: the facts about the run, and the figures."""
    rows = [{k: v for k, v in asdict(f).items() if k not in {"below", "above"}} | {"met": f.met} for f in figures]
    return json.dumps({**facts, "figures": rows})
