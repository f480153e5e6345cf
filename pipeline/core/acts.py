"""What a touchpoint can do in a journey, in the order in which one touchpoint does it."""

from __future__ import annotations

from typing import Final

MAKE: Final = 0
REVISE: Final = 1
RESET: Final = 2
RESUME: Final = 3
PAUSE: Final = 4
MEET: Final = 5
CANCEL: Final = 6
OF_PROMISES: Final = 9
"""Acts up to this one are those of promises, the others those of stages and of the journey."""
LEAVE: Final = 10
ABANDON: Final = 11
ENTER: Final = 12
RESTART: Final = 13
GO_ON: Final = 14
HALT: Final = 15
END: Final = 16
OF_VALUES: Final = 20
"""Acts from this one on are those of value promises: what ends a measurement comes before what begins one."""
STOP: Final = 20
OBSERVE: Final = 21
CLOSE: Final = 22
FINISH: Final = 23
CALL_OFF: Final = 24
PROMISE: Final = 25
START: Final = 26
