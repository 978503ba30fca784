"""The sentences that reasons are told in, one per rule."""

from __future__ import annotations

from pde2net.verify.certificate import Because, Claim

RULES = {
    # of every theorem
    "conclusion": "{says}",
    "no theorem": "There is no theorem about it for this scheme.",
    "missing": "{why}",
    "undecided": "{why}",
    "every tau": "Holds for every tau.",
    "strict": "The limit itself is excluded.",
    "zero operator": "The operator is zero.",
    "incomparable": "The step and its limit could not be compared.",
    "exceeds": "tau = {tau} exceeds the limit {limit}.",
    "nothing found": "No counterexample was found.",
    "within": "With all states in {range}, where the first one lies.",
    "not kept": "That states stay in {range} is not known: {why}",
    "frozen": "With frozen coefficients:",
    "not frozen": "But {why}.",
    # of what the claim is about
    "no value": "The network may have no value: {why}.",
    "until": "This is about times t <= {time}, at which the network evaluates its coefficients.",
    "moving energy": "The energy itself changes in time, so that its decay is no question.",
    "growth": "The reaction term may let modes grow by the factor per {per}; the diffusion does not.",
    "own operators": (
        "Each block has operators of its own, but the stages of a cycle are a polynomial of one operator; "
        "shared=True or keep_stable=True give them the same."
    ),
    "own values": (
        "Each block has values of its own, and what holds for each is not derived for all together."
    ),
    "trained tables": "Weights of the scheme are trained, on which its conditions rest.",
    "own energy": "Each block has weights, and with them an energy, of its own.",
    # solvers
    "explicit": "An explicit step solves no system of equations.",
    "elimination": "AOS solves its linear systems by elimination, without iterations.",
    "few iterations": (
        "The bound 2 factor^k is not below one for k = {most}, the conjugate gradients that a step may make."
    ),
    "no contraction nearby": "The factor near the solution is not below one, and nothing else is derived.",
    "no contraction": "The factor of the contraction is one, which is no contraction.",
    "accelerated": (
        "Near the solution, if the weights of Anderson acceleration stay bounded, errors shrink by the "
        "factor on average (Toth, Kelley 2015)."
    ),
    "growth per iteration": (
        "The reaction term may let modes grow, by more with every iteration, whose number is open."
    ),
    "factor of frequencies": "The largest factor over frequencies is not below one.",
    "cycle factor": (
        "With frozen coefficients and away from the border, each cycle reduces the error by the factor."
    ),
    "cycles approach": (
        "With frozen coefficients cycles approach a step that amplifies no mode, by the factor per cycle."
    ),
    "steady": "tau = oo asks for the steady state, which does not depend on the input.",
    # data
    "not averaged": "At the limit the factor may be one: such steps are nonexpansive, not averaged.",
    "open factor": "The factor depends on norms of learned operators, and nothing keeps it below one.",
    "large constant": "The bound that is derived is above 10**9, which says nothing.",
    # consistency
    "no derivative": (
        "A learned operator approximates no derivative: there is no equation to be consistent with."
    ),
    "no time": "tau = oo asks for the steady state, which has no error in time.",
    "not expanded": "The step could not be expanded: {why}.",
    "accelerated order": "The order of a fixed number of accelerated iterations is not derived.",
    "cycles unsolved": "The cycles are not known to solve the step, since their factor is not below one.",
    "order": "Truncation error O({order}) away from the border.",
    "order at kinks": (
        "Truncation error O({order}) away from the border and from kinks and jumps of the equation."
    ),
    "leading term": "Leading term {terms}.",
    "leading terms": "Leading terms {terms}.",
    "half-points": (
        "The diffusivity takes its slopes from half-points that differ by half a cell, which costs an "
        'order; Grid(gradient="staggered") keeps order 2.'
    ),
    "converges if": "It converges only if {ratio} -> 0, since alpha grows like {growth}.",
    "start": "The start from u- = u is an error O({step}), made once.",
    # systems
    "equation": "{state}:",
    "coupled": "The equations are coupled; nothing is derived about how the unknowns act on each other.",
    "coupled order": "The order of a fixed number of iterations is not derived where equations are coupled.",
    "moving in stages": (
        "The other unknowns change from stage to stage within a cycle, which is not followed."
    ),
    "moving in iterations": (
        "The other unknowns change from iteration to iteration within a step, which is not followed."
    ),
    "no reactions": "With the reactions left out:",
}


def reason_text(claim: Claim) -> str:
    """Why a claim has its status, in words."""
    return " ".join(map(_sentence, claim.because))


def _sentence(part: Because) -> str:
    text = RULES[part.rule].format(**part.figures)
    end = "" if text.endswith((".", ":")) else "."
    return text[:1].upper() + text[1:] + end if part.rule in _CAPITALISED else text + end


_CAPITALISED = ("conclusion", "missing", "undecided")  # whose figures are words that begin in small letters
