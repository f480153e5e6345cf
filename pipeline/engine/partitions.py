"""Who works on which partition: from assignment to revocation, over failures.

In: assignments, revocations and batches from the transport. Out: work opened side by side and handed its
batches. What always holds: work is opened only after an offset commit was accepted under the current
generation, never while an earlier thread of its partition lives; a batch reaches only the work for which it
was read; what failed is read again, and stops the worker after a few tries.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

from faust.types import TP
from mode import get_logger

from pipeline.engine.config import EngineConfig
from pipeline.engine.errors import BatchFailedError, EngineError, FencedError, StopWorker
from pipeline.engine.hooks import Hooks, PartitionState
from pipeline.engine.opening import Committed
from pipeline.engine.telling import told, where
from pipeline.engine.transport import Batch, Fetched, Intake, NotOwnerError

log = get_logger(__name__)

_FRESH_SECONDS = 1.0
"""Silence is believed only if the broker has said so lately."""
_CLAIM_SECONDS = 60.0
_NOBODYS = -1
"""No generation of the group."""


class Reader(Protocol):
    """What the transport's consumer offers to the owner of its partitions."""

    async def claim(self, tps: set[TP], generation: int) -> dict[TP, Committed | None]: ...
    async def start_intake(self, tp: TP, offset: int) -> Intake: ...
    def stop_intake(self, tp: TP) -> None: ...
    def release(self, batch: Batch) -> None: ...
    def fetched(self, tp: TP) -> Fetched | None: ...


class Work(Protocol):
    """What is done with one input partition. Outlives revocation, so that a quick return finds its state."""

    name: str
    tp: TP
    topic_id: str

    async def open(self, committed: Committed | None) -> int:
        """Get ready, or find still ready what was parked; returns the offset to read from."""
        ...

    async def apply(self, batch: Batch) -> int | None:
        """Returns None, or after a gap the offset to seek back to."""
        ...

    async def quiet(self, now: int, read_to: int) -> None:
        """The input was read to its end, `read_to`; `now` is the wall clock in microseconds."""
        ...

    async def settle(self) -> None:
        """Returns when nothing is under way any more that could still be committed or written."""
        ...

    def abandon(self) -> None:
        """What is under way must not be committed; it may still be running for a while."""
        ...

    async def discard(self) -> None:
        """Throw away what failed or is not ours any more."""
        ...


class Slot:
    """The place of one partition in this worker."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.assigned = False
        self.generation = _NOBODYS
        self.intake: Intake | None = None
        self.opening: asyncio.Task[None] | None = None
        self.failures = 0
        self.busy = 0
        self.revoked: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def is_ours(self, generation: int) -> bool:
        """Whether what was begun under this generation still counts: nobody has taken the partition away since."""
        return self.assigned and self.generation == generation != _NOBODYS

    def leave(self) -> None:
        """Nothing that is under way counts any more."""
        self.intake, self.generation = None, _NOBODYS
        if self.opening is not None:
            self.opening.cancel()
            self.opening = None


class Partitions:
    """All partitions of one worker. Everything but `states` is called on the event loop."""

    def __init__(
        self,
        config: EngineConfig,
        hooks: Hooks,
        new_work: Callable[[TP], Work],
        stop: Callable[[EngineError], None],
    ) -> None:
        self._config, self._hooks = config, hooks
        self._new_work, self._stop = new_work, stop
        self._slots: dict[TP, Slot] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.draining = False
        self.joined = False
        """Whether the group has handed out its partitions, and has not begun to do so anew."""
        self.reader: Reader

    async def assigned(self, tps: set[TP], generation: int) -> None:
        """Open all side by side, in the background: one that takes long holds up no other."""
        self._hooks.on_rebalance()
        for tp, slot in self._slots.items():
            if tp not in tps and slot.assigned:
                slot.assigned = False
                self._background(slot.work.discard())
        slots = [self._slots.get(tp) or self._add(tp) for tp in sorted(tps)]
        for slot in slots:
            slot.leave()
            slot.assigned, slot.generation, slot.failures = True, generation, 0
            if slot.revoked.done():
                slot.revoked = asyncio.get_running_loop().create_future()
        self.joined = True
        if slots and not self.draining:
            self._background(self._open_all(slots, generation))

    async def revoked(self) -> bool:
        """Stop reading and park everything; returns whether what was under way could be finished in time."""
        self.joined = False
        slots = self._stop_reading()
        settling = {asyncio.create_task(slot.work.settle()): slot for slot in slots if slot.assigned}
        late: set[asyncio.Task[None]] = set()
        if settling:
            _, late = await asyncio.wait(settling, timeout=self._config.drain)
        for task in late:
            task.cancel()
            settling[task].work.abandon()
        if late:
            log.warning("%d partitions did not finish their batch in time, it is abandoned", len(late))
        for slot in slots:
            if not slot.revoked.done():
                slot.revoked.set_result(None)
        return not late

    async def drain(self) -> bool:
        """For the end of the worker: as `revoked`, and nothing is opened any more."""
        self.draining = True
        return await self.revoked()

    def abandon(self) -> None:
        """For the end of a worker that owns nothing any more: nothing that is under way must be committed."""
        self.draining = True
        for slot in self._stop_reading():
            slot.work.abandon()

    async def close(self) -> None:
        """Give back what is still held; after `drain`."""
        await asyncio.gather(*(slot.work.discard() for slot in self._slots.values()), return_exceptions=True)

    async def take(self, batch: Batch) -> None:
        """An actor's whole work: returns when the batch is committed, or must not be."""
        slot = self._slots.get(batch.tp)
        try:
            if slot is not None and slot.intake is batch.intake:
                apply = self._background(self._apply(slot, batch))
                await asyncio.wait({apply, slot.revoked}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.reader.release(batch)

    def failed(self, tp: TP, error: Exception) -> None:
        """Reading a partition failed: where it stands is checked anew."""
        slot = self._slots.get(tp)
        if slot is not None and slot.intake is not None:
            self._background(self._recover(slot, error, f"reading {_place(tp)}"))

    def metadata(self, tp: TP) -> str:
        slot = self._slots.get(tp)
        return slot.work.topic_id if slot is not None else ""

    def states(self) -> list[PartitionState]:
        """Thread-safe."""
        return [self._state(slot) for slot in list(self._slots.values()) if slot.assigned]

    def say_quiet(self) -> None:
        """Called every `quiet_interval`: partitions that were read to their end hear of it."""
        now = time.time_ns() // 1000
        for slot in self._slots.values():
            if self._is_quiet(slot):
                slot.busy += 1
                self._background(self._quiet(slot, now))

    def _stop_reading(self) -> list[Slot]:
        slots = list(self._slots.values())
        for slot in slots:
            self.reader.stop_intake(slot.work.tp)
            slot.leave()
        return slots

    async def _open_all(self, slots: list[Slot], generation: int) -> None:
        try:
            claims = await self._claim(slots, generation)
        except NotOwnerError:
            return  # the next assignment is on its way
        except Exception as error:  # see _open
            for slot in slots:
                if slot.is_ours(generation):
                    await self._recover(slot, error, f"{slot.work.name}: claiming {_place(slot.work.tp)}")
            return
        for slot in slots:
            if slot.is_ours(generation) and slot.opening is None:
                slot.opening = asyncio.create_task(self._open(slot, claims[slot.work.tp]))

    async def _claim(self, slots: list[Slot], generation: int) -> Mapping[TP, Committed | None]:
        """A broker that stays away must not keep a worker waiting for ever."""
        async with asyncio.timeout(_CLAIM_SECONDS):
            return await self.reader.claim({slot.work.tp for slot in slots}, generation)

    async def _open(self, slot: Slot, committed: Committed | None) -> None:
        try:
            offset = await slot.work.open(committed)
            slot.intake = await self.reader.start_intake(slot.work.tp, offset)
            slot.opening = None
        except NotOwnerError:
            slot.opening = None
        except Exception as error:  # whatever it is, it is tried again or stops the worker
            slot.opening = None
            await self._recover(slot, error, f"{slot.work.name}: opening {_place(slot.work.tp)}")

    async def _reopen(self, slot: Slot) -> None:
        await asyncio.sleep(self._config.back_off * 2 ** (slot.failures - 1))
        try:
            claims = await self._claim([slot], slot.generation)
        except NotOwnerError:
            slot.opening = None
        except Exception as error:  # see _open
            slot.opening = None
            await self._recover(slot, error, f"{slot.work.name}: claiming {_place(slot.work.tp)}")
        else:
            await self._open(slot, claims[slot.work.tp])

    async def _apply(self, slot: Slot, batch: Batch) -> None:
        slot.busy += 1
        try:
            back = await slot.work.apply(batch)
            slot.failures = 0
            if back is not None and slot.intake is batch.intake:
                slot.intake = await self.reader.start_intake(batch.tp, back)
        except NotOwnerError:
            slot.intake = None
        except Exception as error:  # whatever it is, the batch is tried again or stops the worker
            if slot.intake is batch.intake:
                offsets = f"the offsets {batch.start} to {batch.end - 1}"
                doing = f"{slot.work.name}: the batch of {_place(batch.tp)} with {offsets}"
                await self._recover(slot, error, doing)
        finally:
            slot.busy -= 1

    async def _quiet(self, slot: Slot, now: int) -> None:
        intake = slot.intake
        try:
            # in this order: the consumer's thread counts a batch before it moves `read_to`
            read_to = intake.read_to if intake is not None else 0
            if intake is not None and not intake.in_flight:
                await slot.work.quiet(now, read_to)
                slot.failures = 0
        except Exception as error:  # see _apply
            if slot.intake is intake:
                await self._recover(
                    slot, error, f"{slot.work.name}: the quiet time of {_place(slot.work.tp)}"
                )
        finally:
            slot.busy -= 1

    def _is_quiet(self, slot: Slot) -> bool:
        intake = slot.intake
        if intake is None or slot.busy or intake.in_flight:
            return False
        fetched = self.reader.fetched(intake.tp)
        return (
            fetched is not None
            and intake.read_to >= fetched.stable_end
            and fetched.age < _FRESH_SECONDS
            and time.monotonic() - intake.since >= self._config.quiet_interval
        )

    async def _recover(self, slot: Slot, error: Exception, doing: str) -> None:
        """Throw away what failed; try again after a while, or stop the worker."""
        self.reader.stop_intake(slot.work.tp)
        slot.intake = None
        slot.failures += 1
        place = (slot.work.name, slot.work.tp.topic, slot.work.tp.partition)
        (self._hooks.on_fence if isinstance(error, FencedError) else self._hooks.on_abort)(*place)
        if isinstance(error, StopWorker):
            self._stop(error)
        elif slot.failures > self._config.tries:
            self._stop(_final(error, doing, slot.failures))
        else:
            log.warning("%s failed (%s), it is tried again", doing, told(error), extra=where(*place))
            generation = slot.generation
            await slot.work.discard()
            if slot.is_ours(generation) and slot.opening is None:
                slot.opening = asyncio.create_task(self._reopen(slot))

    def _add(self, tp: TP) -> Slot:
        slot = self._slots[tp] = Slot(self._new_work(tp))
        return slot

    def _background(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)  # the loop itself holds no reference
        task.add_done_callback(self._tasks.discard)
        return task

    def _state(self, slot: Slot) -> PartitionState:
        intake, tp = slot.intake, slot.work.tp
        place = (slot.work.name, tp.topic, tp.partition)
        if intake is None:
            return PartitionState(*place, ready=False, position=0, stable_end=None)
        fetched = self.reader.fetched(tp)
        if fetched is None:
            return PartitionState(*place, ready=True, position=intake.read_to, stable_end=None)
        age = 0.0 if intake.rests else fetched.age
        return PartitionState(*place, True, intake.read_to, fetched.stable_end, age)


def _place(tp: TP) -> str:
    return f"{tp.topic}-{tp.partition}"


def _final(error: Exception, doing: str, failures: int) -> EngineError:
    if isinstance(error, EngineError):
        return error
    final = BatchFailedError(f"{doing} failed {failures} times, last with {told(error)}")
    final.__cause__ = error
    return final
