"""When a worker that ended is started again, and when that is given up: pure, the clock passed in.

In: exit codes and instants (seconds of any steady clock). Out: a decision for each. A worker that says that
it can't go on (a stopped one, a user's error) is not started again; any other is, after a wait that doubles
with each end in a row, until there were too many.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

EXIT_USER_ERROR: Final = 2
EXIT_STOPPED: Final = 3


@dataclass(frozen=True)
class Policy:
    """How patient supervision is. Times are seconds."""

    first_wait: float = 0.5
    longest_wait: float = 15.0
    ends_in_a_row: int = 6
    steady_after: float = 60.0
    """A worker that ran this long starts a new row."""
    final_codes: frozenset[int] = frozenset({EXIT_USER_ERROR, EXIT_STOPPED})


class Restart(NamedTuple):
    """Start it again at `at`."""

    at: float


class GiveUp(NamedTuple):
    """It will not be started again."""

    reason: str


@dataclass
class Supervision:
    """Of one worker."""

    policy: Policy = field(default_factory=Policy)
    _started: float = 0.0
    _ends: int = 0

    def started(self, now: float) -> None:
        self._started = now

    def ended(self, code: int, now: float) -> Restart | GiveUp:
        """What follows from its end with `code`, which nobody asked for."""
        if code in self.policy.final_codes:
            return GiveUp("starting it again would give the same")
        if now - self._started >= self.policy.steady_after:
            self._ends = 0
        self._ends += 1
        if self._ends >= self.policy.ends_in_a_row:
            return GiveUp(f"it ended {self._ends} times in a row")
        return Restart(now + min(self.policy.first_wait * 2 ** (self._ends - 1), self.policy.longest_wait))
