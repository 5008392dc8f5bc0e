"""HiGHS, as `services.ports.solver.Solver`. It works in a thread and without Python's lock, so nothing waits for it."""

import asyncio
from collections.abc import Sequence
from threading import Event
from time import monotonic
from typing import Any

from domain.best_plan import Program, Solution

TIES_SHARE = 0.25
"""Of the time that is left may be spent on finding, among the best choices, the one of the oldest orders."""


class Highs:
    """Solves on one thread of the machine."""

    async def solve(self, program: Program, seconds: float) -> Solution:
        """Whoever stops waiting stops the solver."""
        stop = Event()
        try:
            return await asyncio.to_thread(solve, program, seconds, stop)
        finally:
            stop.set()


def solve(program: Program, seconds: float, stop: Event | None = None) -> Solution:
    """The best choice that is found in time; the start itself where nothing better is."""
    if not program.orders:
        return Solution(chosen=frozenset(), bound=0.0, optimal=True)
    began = monotonic()
    model = _model(program)
    _obey(model, stop or Event())
    best = _run(model, program.start, program.weights, seconds)
    if best.optimal:
        left = seconds - (monotonic() - began)
        return _oldest_of_the_best(model, program, best, left * TIES_SHARE)
    return best


def _model(program: Program) -> Any:
    import highspy  # it takes a tenth of a second and 30 MB, which only those pay who solve
    import numpy

    conditions = {row: at for at, row in enumerate(program.supply)}
    starts, rows, units = [0], list[int](), list[int]()
    for needs in program.needs:
        rows += [conditions[row] for row in needs]
        units += needs.values()
        starts.append(len(rows))
    many, few = len(program.orders), len(conditions)
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = many, few
    lp.col_cost_ = numpy.array(program.weights, dtype=numpy.float64)
    lp.col_lower_, lp.col_upper_ = numpy.zeros(many), numpy.ones(many)
    lp.row_lower_ = numpy.full(few, -highspy.kHighsInf)
    lp.row_upper_ = numpy.array(list(program.supply.values()), dtype=numpy.float64)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_ = numpy.array(starts)
    lp.a_matrix_.index_ = numpy.array(rows)
    lp.a_matrix_.value_ = numpy.array(units, dtype=numpy.float64)
    lp.integrality_ = [highspy.HighsVarType.kInteger] * many
    lp.sense_ = highspy.ObjSense.kMaximize
    model = highspy.Highs()  # type: ignore[no-untyped-call]
    model.silent()
    for option, value in (("threads", 1), ("mip_rel_gap", 0.0)):
        model.setOptionValue(option, value)
    model.passModel(lp)
    return model


def _obey(model: Any, stop: Event) -> None:
    """End when told to; what is found so far is the answer."""

    def interrupt(asked: Any) -> None:
        if stop.is_set():
            asked.interrupt()

    model.cbSimplexInterrupt += interrupt
    model.cbMipInterrupt += interrupt


def _run(model: Any, start: frozenset[int], weights: Sequence[float], seconds: float) -> Solution:
    import highspy

    guess = highspy.HighsSolution()
    guess.col_value = [float(at in start) for at in range(len(weights))]
    model.setSolution(guess)
    model.setOptionValue("time_limit", max(0.01, seconds))
    model.run()
    info, values = model.getInfo(), model.getSolution().col_value
    found = (
        len(values) == len(weights) and info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    )
    optimal = found and model.getModelStatus() == highspy.HighsModelStatus.kOptimal
    bound = abs(info.mip_dual_bound)
    return Solution(
        chosen=frozenset(at for at, value in enumerate(values) if value > 0.5) if found else start,
        bound=min(bound, sum(weights)) if bound < highspy.kHighsInf else sum(weights),
        optimal=optimal,
    )


def _oldest_of_the_best(model: Any, program: Program, best: Solution, seconds: float) -> Solution:
    """Choose anew among those of the same sum, so that the positions of the chosen ones add up to the least."""
    import highspy
    import numpy

    many = len(program.orders)
    reached = sum(program.weights[at] for at in best.chosen)
    columns = numpy.arange(many, dtype=numpy.int32)
    model.addRow(
        reached * (1 - 1e-9) - 1e-6, highspy.kHighsInf, many, columns, numpy.array(program.weights, dtype=numpy.float64)
    )
    model.changeColsCost(many, columns, numpy.arange(many, dtype=numpy.float64))
    model.changeObjectiveSense(highspy.ObjSense.kMinimize)
    oldest = _run(model, best.chosen, program.weights, seconds)
    same = sum(program.weights[at] for at in oldest.chosen) >= reached - 1e-6
    return Solution(chosen=oldest.chosen if same else best.chosen, bound=best.bound, optimal=True)
