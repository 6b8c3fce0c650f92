"""Solutions as text: tables that stay readable at 80 columns and when piped into a file."""

from collections.abc import Sequence
from decimal import Decimal, localcontext
from io import StringIO
from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from numerics import Solution

__all__ = [
    "gap_line",
    "legend",
    "order_parameter_table",
    "ordering_changes",
    "ordering_line",
    "render",
    "significant",
    "summary_table",
]

_QUIET_WIDTH = 80


def significant(value: float, digits: int) -> str:
    """Write a number with so many significant digits, trailing zeros included.

    Parameters
    ----------
    value
        The number.
    digits
        How many significant digits to write.

    Returns
    -------
    str
        For example ``'0.50000'`` for one half to five digits.
    """
    if isinstance(value, float):
        return f"{value:#.{digits}g}"
    import mpmath

    return str(mpmath.nstr(value, digits, strip_zeros=False))


def _rough(value: float) -> str:
    """An error or a norm, which may be an mpf too small for a float."""
    if isinstance(value, (float, int)):
        return f"{value:.1e}"
    import mpmath

    return "0" if not value else str(mpmath.nstr(value, 2, min_fixed=1, max_fixed=0))


def _new_table(title: str) -> "Table":
    from rich.box import Box
    from rich.table import Table

    # one rule below the header and nothing else, in characters every terminal and file can hold
    rule = Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=rule,
        pad_edge=False,
        collapse_padding=True,
        header_style="",
    )


def summary_table(solutions: "Sequence[Solution]") -> "Table":
    """One row per level: the value and what is needed to trust it.

    Parameters
    ----------
    solutions
        The levels' solutions, lowest level first.

    Returns
    -------
    rich.table.Table
        Columns level, alpha or xi, gradient norm, inertia, branch, error (of the digits that are there) and
        time.
    """
    from numerics.results import stated

    model = solutions[0].model
    names = [f"{name} = {value}" for name, value in model.parameters.items()]
    title = ", ".join([model.name.upper(), *names])
    table = _new_table(f"{title}: stationary points by lifting level")
    table.add_column("level", justify="right", no_wrap=True)
    table.add_column(solutions[0].symbol, no_wrap=True)
    for header in ("gradient", "inertia"):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("branch", no_wrap=True)
    for header in ("error", "time"):
        table.add_column(header, justify="right", no_wrap=True)
    alphas = _point_aligned([_alpha(solution) for solution in solutions])
    for solution, alpha in zip(solutions, alphas, strict=True):
        table.add_row(
            str(solution.level),
            alpha,
            _rough(solution.gradient_norm) if solution.order_parameters else "",
            str(solution.inertia) if solution.order_parameters else "",
            solution.branch,
            stated(solution.value, solution.error, solution.digits)[1],
            f"{solution.statistics.seconds:.2f} s",
        )
    return table


def order_parameter_table(solutions: "Sequence[Solution]") -> "Table":
    """One row per level and step k: the order parameters p_k, Q_k and s_k (q_k and c_k).

    Parameters
    ----------
    solutions
        The levels' solutions, lowest level first; those without order parameters have no row.

    Returns
    -------
    rich.table.Table
        Columns level, k, p_k, Q_k and s_k (at finite exponents q_k and c_k), and one for each multiplier
        or field. On the branch s -> infinity the outermost pair (Q, s) stands at its limit (0,
        infinity); a level that merged with the one below has no row.
    """
    table = _new_table("Order parameters")
    groups = ("p", "q", "c") if solutions[0].is_finite else ("p", "Q", "s")
    fields = list(
        dict.fromkeys(
            name
            for solution in solutions
            for name in solution.order_parameters
            if name.partition("_")[0] not in groups
        )
    )
    rows = []
    for solution in solutions:
        if solution.branch == "merged" or not solution.order_parameters:
            continue
        values = {
            name: significant(value, solution.parameter_digits)
            for name, value in solution.order_parameters.items()
        }
        last = max(len(solution.p), len(solution.q), len(solution.c)) + 1
        if solution.branch == "s -> infinity":
            values |= {f"Q_{last}": "0", f"s_{last}": "infinity"}
        first = 1 if "p_1" in values else 2
        last += first - 2 if len(solution.p) > max(len(solution.q), len(solution.c)) else 0
        for k in range(first, last + 1):
            indexed = (values.get(f"{group}_{k}", "") for group in groups)
            single = (values.get(field, "") if k == first else "" for field in fields)
            level = str(solution.level) if k == first else ""
            rows.append((level, str(k), *indexed, *single))
    for header in ("level", "k"):
        table.add_column(header, justify="right", no_wrap=True)
    for header in (*(f"{group}_k" for group in groups), *fields):
        table.add_column(header, no_wrap=True)
    columns = [_point_aligned(column) for column in zip(*rows, strict=True)]
    for row, following in zip_longest(zip(*columns, strict=True), rows[1:]):
        table.add_row(*row, end_section=following is not None and following[0] != "")
    return table


def _point_aligned(numbers: Sequence[str]) -> list[str]:
    """Pad numbers on the left so that their decimal points stand below each other."""
    before = [len(number.partition(".")[0]) if "." in number else 0 for number in numbers]
    return [
        " " * (max(before) - own) + number if "." in number else number
        for number, own in zip(numbers, before, strict=True)
    ]


def _alpha(solution: "Solution") -> str:
    # a solution with no digit at all still shows the order of magnitude
    return significant(solution.value, max(solution.digits, 1))


def legend(solutions: "Sequence[Solution]") -> str:
    """Say what the numbers are."""
    first = solutions[0]
    value = "xi: ground-state energy" if first.symbol == "xi" else "alpha = m/n"
    return f"{value}, natural logarithms; inertia counts negative Hessian eigenvalues."


def ordering_changes(solutions: "Sequence[Solution]") -> dict[int, str]:
    """Levels at which the order of the exponents c_2, c_3, .. becomes another one, with that order.

    Parameters
    ----------
    solutions
        The levels' solutions, lowest level first.

    Returns
    -------
    dict
        The first entry is the lowest level that has an order; empty where none has.
    """
    changes: dict[int, str] = {}
    for solution in solutions:
        known = list(changes.values())
        if solution.ordering and solution.ordering != (known[-1] if known else ""):
            changes[solution.level] = solution.ordering
    return changes


def ordering_line(solutions: "Sequence[Solution]") -> str:
    """Say in which order the exponents c_k come, and at which level that changes; '' if they have none."""
    changes = ordering_changes(solutions)
    parts = [f"{order} from level {level} on" for level, order in changes.items()]
    return f"exponents c_k: {', '.join(parts)}" if parts else ""


def gap_line(solutions: "Sequence[Solution]") -> str:
    """Say how far the highest level lies below the satisfiability threshold, level 2.

    Parameters
    ----------
    solutions
        The levels' solutions, from level 2 up.

    Returns
    -------
    str
        One line with both thresholds and their difference, to the decimals both of them have; for an
        energy the change from the lowest level; '' for a single level.
    """
    first, last = solutions[0], solutions[-1]
    if last is first:
        return ""
    low, high = _alpha(first), _alpha(last)
    with localcontext(prec=4000):  # exact: no value has that many digits
        one, other = Decimal(low), Decimal(high)
        unit = max(int(x.as_tuple().exponent) for x in (one, other))
        gap = (one - other).quantize(Decimal((0, (1,), unit)))
    if first.symbol == "xi":
        return f"xi_{last.level} - xi_{first.level} = {_plain(-gap)}"
    name = "alpha_c" if first.level == 2 else f"alpha_{first.level}"
    return f"gap {name} - alpha_{last.level} = {low} - {high} = {_plain(gap)}"


def _plain(x: Decimal) -> str:
    """With all its decimals; as a power of ten where it has none."""
    return f"{x:f}" if int(x.as_tuple().exponent) <= 0 else f"{x:e}"


def render(*parts: "RenderableType", terminal: bool, width: int) -> str:
    """Turn tables and lines into text whose numbers are never wrapped or cut.

    Parameters
    ----------
    *parts
        What to show, in order.
    terminal
        Whether to use colour and emphasis.
    width
        Columns of the terminal. Tables that need more get more: a number broken by the terminal
        can still be read and copied, a number cut short cannot.

    Returns
    -------
    str
        The text, without spaces at the ends of lines when it does not go to a terminal.
    """
    from rich.console import Console
    from rich.measure import Measurement

    buffer = StringIO()
    console = Console(
        file=buffer,
        width=width if terminal else _QUIET_WIDTH,
        force_terminal=terminal,
        force_jupyter=False,
        highlight=False,
        markup=False,
        emoji=False,
        color_system="auto" if terminal else None,
    )
    needed = max(
        Measurement.get(console, console.options.update(max_width=10_000), part).maximum
        for part in parts
    )
    console.width = max(console.width, needed)
    for part in parts:
        console.print(part)
    text = buffer.getvalue()
    return text if terminal else "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
