"""What makes it hard to say who is who: which of the episodes are of that kind.

In: a draw for each episode. Out: the tangle and the story that is told instead of an ordinary one. Every other episode
is the same, byte for byte, as in a simulation without tangles.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.simulate.episode import Episode
from pipeline.simulate.stories.late_links import late_link, wrong_link
from pipeline.simulate.stories.strangers import family_email, shared_by_few, shared_by_many
from pipeline.simulate.truth import Tangle

Story = Callable[[Episode], None]


@dataclass(frozen=True, slots=True)
class Tangles:
    """How many episodes are tangled. Shares of one, together at most one.

    `late_links`: a cookie or device is known to be a customer's only later; `shared_by_few`: two or three customers
    use one; `shared_by_many`: more use it than the map lets anybody share; `family_emails`: an address of two or three
    customers; `wrong_links`: two persons are taken for one, until somebody parts them.
    """

    late_links: float = 0.05
    shared_by_few: float = 0.01
    shared_by_many: float = 0.005
    family_emails: float = 0.01
    wrong_links: float = 0.01

    def __post_init__(self) -> None:
        shares = [share for _, _, share in self._stories()]
        if min(shares) < 0 or sum(shares) > 1:
            raise ValueError("the shares of tangled episodes are at least 0 and together at most 1")

    @property
    def share(self) -> float:
        """Of all episodes, those with any tangle."""
        return sum(share for _, _, share in self._stories())

    def pick(self, draw: float) -> tuple[Tangle, Story] | None:
        """What `draw`, from 0 to below 1, comes to; None is an ordinary episode."""
        for tangle, story, share in self._stories():
            if draw < share:
                return tangle, story
            draw -= share
        return None

    def _stories(self) -> tuple[tuple[Tangle, Story, float], ...]:
        return (
            ("late link", late_link, self.late_links),
            ("shared by few", shared_by_few, self.shared_by_few),
            ("shared by many", shared_by_many, self.shared_by_many),
            ("family e-mail", family_email, self.family_emails),
            ("wrong link", wrong_link, self.wrong_links),
        )


NO_TANGLES = Tangles(late_links=0, shared_by_few=0, shared_by_many=0, family_emails=0, wrong_links=0)
