"""Many integrations of one structure at once, in a loop of compiled code, each with steps of its own.

A few members are integrated side by side, each in a slot. In a pass of the loop every slot takes one step of
the method: the next step of its member; or from the start of the last one a shorter step, to a time that is
to be saved, to the time at which all came to rest, or to that at which a node reached a kink of its
activation, from where it goes on with new modes (`pcode.system.kinks`). A member that is done leaves its slot
to the next one, so that none waits for others that need more steps. What fails ends with its own status.
"""

from __future__ import annotations

from typing import Any

from ..base._jax import jax, jnp
from ..base.status import Status
from ..model.dynamics import Constants
from ..model.state import State
from ..system import kinks
from ..system.coupled import Parameters, System
from ..system.kinks import starting
from ..system.reduction import Reduction, reduce_feedback, reduce_input
from .base import DIVERGED, INSIDE, LARGEST, kink_share
from .members import GOING, STATUSES, Ended, Members, Root, Slot, Span, Static
from .progress import CRAWL, CRAWLING
from .stepping import Carry, Tolerances, begin, judged, parts

# Most guesses at the time of an event within a step, and how near the logarithm of the residual must be to
# that of settle_tol.
MOST_GUESSES, REST_RTOL = 60, 1e-6


def problem_of(how: Static, constants: Constants, state: State, span: Span) -> tuple[System, Any, Reduction]:
    """The system of one member, its unknowns at the start, and how the state follows; see `make_problem`."""
    system = System(how.structure, Parameters(constants, span.clamp, state.weights, span.pieces))
    reduction = Reduction(system)
    if how.reduce:
        system, state, reduction = reduce_feedback(system, state, reduction, how.apart)
        system, state, reduction = reduce_input(system, state, reduction, jnp)
    return system, system.layout.pack(state, jnp), reduction


class Loop:
    """The integration of members in slots, as it is traced."""

    def __init__(self, how: Static, members: Members, span: Span) -> None:
        self.how, self.members, self.span = how, members, span
        self.room = members.steps.shape[0]
        first = jax.tree.map(lambda a: a[0], (members.constants._replace(mask=()), members.state))
        constants = first[0]._replace(mask=members.constants.mask)
        system, _, reduction = problem_of(how, constants, first[1], span)
        self.structure = system.structure
        weights = reduction.stands_for(system.layout, jnp)
        self.tolerances = Tolerances(span.rtol, span.atol, weights)
        self.method = parts(how.kind, self.structure, self.tolerances)

    def member(self, constants: Constants, state: State, y: Any) -> tuple[Parameters, Any, Any]:
        """Parameters and unknowns at the start of a member, and the bound above which it has diverged."""
        system, y0, _ = problem_of(self.how, constants, state, self.span)
        largest = jnp.maximum(jnp.maximum(1.0, self.span.largest), jnp.abs(y0).max(initial=0.0))
        bound = jnp.minimum(LARGEST, DIVERGED * largest)
        y0 = y0 if y is None else jnp.where(self.span.begin > 0.0, y, y0)
        return starting(system, self.span.begin, y0).parameters, y0, bound

    def load(self, member: Any) -> Slot:
        """The member of this number at its start; without effect if there is none."""
        span, members = self.span, self.members
        k = jnp.minimum(member, self.room - 1)
        constants, state, y, steps, rejected = jax.tree.map(
            lambda a: a[k], members._replace(constants=members.constants._replace(mask=()))
        )
        p, y0, bound = self.member(constants._replace(mask=members.constants.mask), state, y)
        t0 = jnp.asarray(span.begin, float)
        carry = begin(self.how.kind, self.structure, y0, t0, span.stops[0], p, self.tolerances)
        carry = carry._replace(ends=jnp.zeros(1), steps=steps, rejected=rejected)
        system = System(self.structure, p)
        fine = jnp.isfinite(y0).all() & jnp.isfinite(system.rhs(t0, y0)).all()
        status = jnp.where(fine, GOING, STATUSES.index(Status.DIVERGED))
        if self.how.rests:
            still = fine & (t0 >= span.settles_from) & (system.residual(t0, y0) <= span.settle_tol)
            status = jnp.where(still, STATUSES.index(Status.EQUILIBRIUM), status)
        status = jnp.where(member < span.count, status, STATUSES.index(Status.SUCCESS))
        none = jnp.zeros(())
        root = Root(none, none, none, none, jnp.asarray(0), jnp.asarray(0), jnp.asarray(False))
        return Slot(
            member, p, bound, carry, y0, t0, jnp.asarray(1), status, root, jnp.asarray(False), (steps, t0)
        )

    def advance(self, slot: Slot) -> tuple[Slot, Any, Any, Any]:
        """The slot after one step; whether a row was reached, its number and its values."""
        c, p, root, span = slot.carry, slot.p, slot.root, self.span
        solver, _, term = self.method
        due = span.times[slot.row]
        draws = (slot.row < span.times.size - 1) & (due <= slot.t) & ~root.seeking
        inner = draws | root.seeking
        going = ~inner & ~slot.turning & (slot.status == GOING)
        goal = jnp.where(root.seeking, _guess(root), due)
        t0 = jnp.where(inner, c.t_before, c.t)
        t1 = jnp.where(inner, goal, jnp.where(going, c.t_next, c.t))
        start = jax.tree.map(
            lambda a, b: jnp.where(inner, a, b),
            (c.dense_info["y0"], c.solver_state_before, jnp.zeros((), bool)),
            (c.y, c.solver_state, jnp.asarray(c.made_jump)),
        )
        tried = solver.step(term, t0, t1, start[0], p, start[1], start[2])
        after = judged(self.method, p, span.stops, 0, c, tried)
        value = self._within(c, goal, tried)
        slot = slot._replace(root=self._sought(slot, goal, value), row=slot.row + draws)
        ended = root.seeking & ~slot.root.seeking
        slot = slot._replace(y=jnp.where(ended, value, slot.y), t=jnp.where(ended, goal, slot.t))
        rested = jnp.where(ended & ~slot.turning, STATUSES.index(Status.EQUILIBRIUM), slot.status)
        slot = slot._replace(status=rested)
        stepped = self._stepped(slot, after)
        return _chosen(going, stepped, slot), draws, slot.row - draws, self._exact(p, goal, value)

    def _within(self, c: Carry, t: Any, tried: tuple[Any, ...]) -> Any:
        """The unknowns at a time within the last step, to which a step was tried."""
        import diffrax

        solver, y, result = self.method[0], tried[0], tried[4]
        between = solver.interpolation_cls(t0=c.t_before, t1=c.t, **c.dense_info).evaluate(t)
        y = jnp.where(diffrax.is_okay(result) & jnp.isfinite(y).all(), y, between)
        return jnp.where(t == c.t, c.y, y)

    def _stepped(self, slot: Slot, c: Carry) -> Slot:
        """The slot after a step of its own, which may have been rejected."""
        span, taken = self.span, c.steps > slot.carry.steps
        status = jnp.asarray(GOING)

        def ends(status: Any, when: Any, how: Status) -> Any:
            return jnp.where((status == GOING) & when, STATUSES.index(how), status)

        status = ends(status, ~(jnp.abs(c.y).max(initial=0.0) < slot.bound), Status.DIVERGED)
        root, system, turning = slot.root, System(self.structure, slot.p), slot.turning
        if slot.p.mode is not None:
            found, new = self._passed(system, c)
            turning = (status == GOING) & taken & found
            root = _chosen(turning, new, root)
        if self.how.rests:
            before, now = self._fallen(system, c.t_before, c.dense_info["y0"]), self._fallen(system, c.t, c.y)
            seeking = (status == GOING) & taken & ~turning & (c.t >= span.settles_from) & (now >= 0.0)
            low = jnp.maximum(c.t_before, span.settles_from)
            new = Root(low, c.t, jnp.minimum(before, -1e-9), now, jnp.asarray(0), jnp.asarray(1), seeking)
            root = _chosen(seeking, new, root)
        unfinished = (c.t < span.end) & ~root.seeking
        crawls, mark = self._crawls(slot, c)
        status = ends(status, unfinished & (crawls | ~(c.t_next > c.t)), Status.STEP_TOO_SMALL)
        status = ends(status, unfinished & (c.steps >= span.max_steps), Status.MAX_STEPS)
        status = ends(status, (c.t >= span.end) & ~root.seeking, Status.SUCCESS)
        t = jnp.where(root.seeking, slot.t, c.t)
        return slot._replace(carry=c, y=c.y, t=t, status=status, root=root, turning=turning, mark=mark)

    def _crawls(self, slot: Slot, c: Carry) -> tuple[Any, tuple[Any, Any]]:
        """Whether steps lead nowhere, as `progress.Pace` says, and the mark from which to look next."""
        constants = slot.p.constants
        shortest = jnp.concatenate(constants.times).min()
        shortest = jnp.minimum(shortest, self.span.end - self.span.begin)
        steps, since = slot.mark
        looks = c.steps - steps >= CRAWLING
        growing = c.t - c.t_before > 0.5 * (c.t - since)
        crawls = looks & (c.t - since < CRAWL * shortest) & ~growing
        return crawls, _chosen(looks, (c.steps, c.t), slot.mark)

    def _fallen(self, system: System, t: Any, y: Any) -> Any:
        """How far the residual has fallen below settle_tol: the difference of the logarithms."""
        return jnp.log(self.span.settle_tol) - jnp.log(jnp.maximum(system.residual(t, y), 1e-300))

    def _beyond(self, system: System, c: Carry, t: Any, y: Any, fastest: float = kinks.FASTEST) -> Any:
        """How far a node is beyond what its mode and the tolerance allow; see `kinks.excess`."""
        share = kink_share(c.t - c.t_before, system.constants.tau, jnp)
        return kinks.excess(system, t, y, share, fastest) - self.span.kink_tolerance

    def _passed(self, system: System, c: Carry) -> tuple[Any, Root]:
        """Whether a node has passed or left a kink in the last step, and the search for when it first did.

        See `base.switching`, which does the same between calls of a solver.
        """
        curve = self.method[0].interpolation_cls(t0=c.t_before, t1=c.t, **c.dense_info)
        before, late = (
            self._beyond(system, c, t, y) for t, y in ((c.t_before, c.dense_info["y0"]), (c.t, c.y))
        )
        at = c.t_before + INSIDE * (c.t - c.t_before)
        # Not enlarged, as what is interpolated has small errors.
        inside = jax.vmap(lambda t: self._beyond(system, c, t, curve.evaluate(t), 1.0))(at)
        times, values = jnp.append(at, c.t), jnp.append(inside, late)
        first = jnp.argmax(values > 0.0)
        t, value = times[first], values[first]
        # Where it was beyond its kink before, or is within the tolerance of it, there is nothing to seek.
        sought = ((t < c.t) | (late > self.span.kink_tolerance)) & (before < 0.0)
        low = jnp.where(sought, c.t_before, t)
        whole = jnp.asarray(0), jnp.asarray(1)
        return (values > 0.0).any(), Root(low, t, before, value, *whole, jnp.asarray(True))

    def turned(self, slot: Slot) -> Slot:
        """The slot with new modes, from where a node has reached or left a kink."""
        c, span = slot.carry, self.span
        system = System(self.structure, slot.p)
        share = kink_share(c.t - c.t_before, system.constants.tau, jnp)
        y, mode, _ = kinks.switched(system, slot.t, slot.y, share, 0.01 * span.kink_tolerance)
        p, t = slot.p._replace(mode=mode), slot.t
        stop = span.stops[jnp.minimum(jnp.searchsorted(span.stops, t, side="right"), span.stops.size - 1)]
        again = begin(self.how.kind, self.structure, y, t, stop, p, self.tolerances)
        again = again._replace(ends=jnp.zeros(1), steps=c.steps, rejected=c.rejected)
        status = jnp.where(t < span.end, GOING, STATUSES.index(Status.SUCCESS))
        if self.how.rests:
            still = System(self.structure, p).residual(t, y) <= span.settle_tol
            status = jnp.where(still & (t >= span.settles_from), STATUSES.index(Status.EQUILIBRIUM), status)
        return slot._replace(p=p, carry=again, y=y, status=status, turning=jnp.asarray(False))

    def _exact(self, p: Parameters, t: Any, y: Any) -> Any:
        """`y` with the nodes that are held at a kink exactly there."""
        if p.mode is None:
            return y
        return self.structure.layout.pack(System(self.structure, p).state(t, y), jnp)

    def _sought(self, slot: Slot, t: Any, y: Any) -> Root:
        """The search after a guess: by the Illinois variant of the false position, see `sequence`."""
        root, system = slot.root, System(self.structure, slot.p)
        value, enough = jnp.zeros(()), jnp.zeros(())
        if self.how.rests:
            value, enough = self._fallen(system, t, y), jnp.asarray(REST_RTOL)
        if slot.p.mode is not None:
            beyond = self._beyond(system, slot.carry, t, y), 0.5 * self.span.kink_tolerance
            value, enough = _chosen(slot.turning, beyond, (value, enough))
        late = value > 0.0
        new = Root(
            jnp.where(late, root.a, t),
            jnp.where(late, t, root.b),
            jnp.where(late, jnp.where(root.side > 0, 0.5 * root.fa, root.fa), value),
            jnp.where(late, value, jnp.where(root.side < 0, 0.5 * root.fb, root.fb)),
            jnp.where(late, 1, -1),
            root.guesses + 1,
            (jnp.abs(value) > enough) & (root.guesses < MOST_GUESSES) & (root.b > root.a),
        )
        found: Root = _chosen(root.seeking, new, root)
        return found

    def run(self) -> Ended:
        """Integrate all members."""
        span, slots, many = self.span, self.how.slots, jax.vmap(self.advance)
        load, turned = jax.vmap(self.load), jax.vmap(self.turned)
        # All slots are free at first, and filled as they are later: so `load` is compiled once.
        shapes = jax.eval_shape(load, jnp.arange(slots))
        free = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
        free = free._replace(member=jnp.full(slots, -1))
        N, T = free.y.shape[1], span.times.size
        # One more than there are members, for what is kept of none. That also makes no first axis the slots'.
        room = self.room + 1
        nothing = jnp.zeros(room)
        begun = Ended(
            y=jnp.full((room, N), jnp.nan),
            t=nothing,
            status=nothing.astype(int),
            steps=nothing.astype(int),
            rejected=nothing.astype(int),
            rows=jnp.full((room, T, N), jnp.nan),
        )

        def started(kept: Ended, slot: Slot, new: Any) -> Ended:
            at = jnp.where(new, slot.member, self.room)
            return kept._replace(rows=kept.rows.at[at, 0].set(slot.y))

        def body(carry: tuple[Slot, Any, Ended]) -> tuple[Slot, Any, Ended]:
            slot, following, kept = carry
            due = (slot.row < T - 1) & (span.times[slot.row] <= slot.t)
            done = (slot.status != GOING) & ~due & ~slot.root.seeking & (slot.member < span.count)
            done |= slot.member < 0
            kept = self._ended(kept, slot, done & (slot.member >= 0))

            def refilled() -> tuple[Slot, Any, Ended]:
                member = jnp.where(done, following + jnp.cumsum(done) - 1, slot.member)
                new = _chosen_each(done, load(member), slot)
                return new, following + done.sum(), started(kept, new, done)

            slot, following, kept = jax.lax.cond(done.any(), refilled, lambda: (slot, following, kept))
            if slot.p.mode is not None:
                turns = slot.turning & ~slot.root.seeking & ~due
                slot = jax.lax.cond(
                    turns.any(), lambda: _chosen_each(turns, turned(slot), slot), lambda: slot
                )
            slot, draws, row, value = many(slot)
            at = jnp.where(draws, slot.member, self.room)
            kept = kept._replace(rows=kept.rows.at[at, row].set(value))
            return slot, following, kept

        def going(carry: tuple[Slot, Any, Ended]) -> Any:
            return (carry[0].member < span.count).any()

        kept: Ended = jax.lax.while_loop(going, body, (free, jnp.asarray(0), begun))[2]
        return Ended(*(values[:-1] for values in kept))

    def _ended(self, kept: Ended, slot: Slot, done: Any) -> Ended:
        """The results with those of the slots that are done."""
        at, end = jnp.where(done, slot.member, self.room), jax.vmap(self._exact)(slot.p, slot.t, slot.y)

        def put(into: Any, values: Any) -> Any:
            return into.at[at].set(values)

        return Ended(
            y=put(kept.y, end),
            t=put(kept.t, slot.t),
            status=put(kept.status, slot.status),
            steps=put(kept.steps, slot.carry.steps),
            rejected=put(kept.rejected, slot.carry.rejected),
            rows=kept.rows.at[at, -1].set(end),
        )


def _guess(root: Root) -> Any:
    """The next guess at the time of the event: the false position, or for every second one the middle."""
    middle = 0.5 * (root.a + root.b)
    crossing = root.b - root.fb * (root.b - root.a) / (root.fb - root.fa)
    inside = (crossing > root.a) & (crossing < root.b) & (root.guesses % 2 > 0)
    return jnp.where(inside, crossing, middle)


def _chosen(when: Any, new: Any, old: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(when, a, b), new, old)


def _chosen_each(when: Any, new: Any, old: Any) -> Any:
    """The same where `when` has one entry for each along the first axis."""

    def one(a: Any, b: Any) -> Any:
        return jnp.where(when.reshape(when.shape + (1,) * (a.ndim - 1)), a, b)

    return jax.tree.map(one, new, old)
