"""What the benchmarks have to say: one table, a ratio to a line."""

from __future__ import annotations

from dataclasses import dataclass

_COLUMNS = "{:<10} {:<36} {:>10}   {:<34} {:>10}  {:>7}  {:<8} {}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure, against the same figure of something else that was measured in the same run.

    :param what: what was measured.
    :param ours: what this package takes.
    :param against: what it is compared with: a peer, or a floor that nobody can go below.
    :param theirs: what that takes.
    :param unit: ``s``, ``MB``, or nothing for a number of things.
    :param aim: the ratio that ours should not exceed; ``None``: there is none, the figure is for information.
    """

    what: str
    ours: float
    against: str
    theirs: float
    unit: str = ""
    aim: float | None = None

    @property
    def ratio(self) -> float:
        """Ours for each of theirs."""
        return self.ours / self.theirs if self.theirs else float(self.ours > 0)

    @property
    def verdict(self) -> str:
        """Whether the aim holds."""
        if self.aim is None:
            return ""
        return "holds" if self.ratio <= self.aim else "MISSED"


def head() -> str:
    """Return the first line of the table."""
    return _COLUMNS.format("benchmark", "figure", "ours", "against", "theirs", "ratio", "aim", "").rstrip()


def line(benchmark: str, figure: Figure) -> str:
    """Return a figure's line of the table."""
    return _COLUMNS.format(
        benchmark,
        figure.what,
        _quantity(figure.ours, figure.unit),
        figure.against,
        _quantity(figure.theirs, figure.unit),
        f"{figure.ratio:.3f}x",
        "" if figure.aim is None else f"<= {figure.aim:.2f}",
        figure.verdict,
    ).rstrip()


def _quantity(value: float, unit: str) -> str:
    match unit:
        case "s":
            return f"{value * 1e3:.2f} ms"
        case "":
            return f"{value:.0f}"
        case _:
            return f"{value:.3f} {unit}"
