"""TCP segments in any order in, each direction's bytes in their order out.

Strategy: every direction of a connection remembers the position of the next byte that it has to
give. A segment that begins there is given at once, one that begins behind it waits, and what lies
before it was sent again and is dropped. Positions are whole numbers that grow for ever; a sequence
number stands for the position nearest to the next byte, so that its wrapping is invisible.

Bytes that were never captured cannot be waited for for ever: a hole is given up when bytes behind
it have waited `HOLE_WAIT_S` of capture time, or are too many, or the end has come. A segment far
away from all expectation (a long gap in the capture, a new connection on the same ports whose
beginning was not captured) is gone on with at once.

Nothing is known here of what the bytes mean. The clock is that of the capture.
"""

from __future__ import annotations

import heapq
import math
from collections import OrderedDict
from collections.abc import Iterator

from se.capture import tally
from se.capture.segment import (
    ACK,
    FIN,
    RST,
    SYN,
    Closed,
    Data,
    Direction,
    Event,
    Gap,
    Opened,
    Segment,
)

# A lost segment is sent again within seconds, at the worst after a minute.
HOLE_WAIT_S = 60
# Keep-alives come every 100 s at the latest; beyond this, an unfinished message stays so.
IDLE_S = 600
SWEEP_S = 10
# A SYN that was answered, as data behind it shows, is sent again within the usual first timeouts.
SYN_WAIT_S = 3
# A position further away than this does not belong to what came before.
WINDOW = 1 << 20
HELD_PER_DIRECTION = 1 << 18
HELD_IN_ALL = 1 << 23
DIRECTIONS = 1000
# What a waiting segment costs beside its bytes.
_OVERHEAD = 200


class _Stream:
    """The state of one direction."""

    def __init__(self, segment: Segment, first: int):
        self.direction = segment.direction
        self.opened = segment.time
        # how far before `first` the beginning may lie: nowhere else, where it was captured
        self.slack = 0 if segment.flags & SYN else WINDOW
        self.first = first
        self.next = first
        self.end: int | None = None
        # position, length as sent, time of arrival, payload: by position, the shortest first
        self.waiting: list[tuple[int, int, float, bytes]] = []
        self.held = 0
        self.unused: str | None = None
        self.seen = segment.time

    def offset(self, sequence: int) -> int:
        """How far the byte with this sequence number lies behind the next one."""
        return (sequence - self.next + (1 << 31)) % (1 << 32) - (1 << 31)

    def is_begun_by(self, syn: Segment, first: int) -> bool:
        """Whether a SYN is this connection's, sent again or late, and not that of a new one.

        An inverter that starts again may use the same port and sequence numbers again.
        """
        before = (self.first - first) % (1 << 32)
        wait = SYN_WAIT_S if self.next != self.first else HOLE_WAIT_S
        return before <= self.slack and syn.time - self.opened < wait


class Reassembler:
    """All directions of all connections of a capture."""

    def __init__(self, unused: tally.Tally):
        """`unused` is told of every payload byte that is not given."""
        self._unused = unused
        self._streams: OrderedDict[Direction, _Stream] = OrderedDict()
        self._held = 0
        self._swept = 0.0
        self.lost = 0  # bytes that were sent but not captured

    def ignore(self, direction: Direction, reason: str) -> None:
        """Give no more of a direction until it is opened anew; its bytes count as unused."""
        stream = self._streams[direction]
        stream.unused = reason
        while stream.waiting:
            _, length, _, _ = self._pop(stream)
            self._unused.add(reason, length)

    def receive(self, segment: Segment) -> Iterator[Event]:
        """Take a segment; gives what has become known by it."""
        if abs(segment.time - self._swept) >= SWEEP_S:
            yield from self._sweep(segment.time)
        stream = self._streams.get(segment.direction)
        begin = (segment.sequence + bool(segment.flags & SYN)) % (1 << 32)
        if stream is None or (segment.flags & SYN and not stream.is_begun_by(segment, begin)):
            if not (segment.length or segment.flags & SYN):
                return
            yield from self._open(segment, begin)
            stream = self._streams[segment.direction]
        self._streams.move_to_end(segment.direction)
        stream.seen = segment.time
        if stream.unused is not None:
            if segment.length:
                self._unused.add(stream.unused, segment.length)
            return
        yield from self._place(stream, segment, begin)

    def _open(self, segment: Segment, begin: int) -> Iterator[Event]:
        direction = segment.direction
        if direction in self._streams:
            yield from self._close(direction)
        elif len(self._streams) >= DIRECTIONS:
            yield from self._close(next(iter(self._streams)))
        self._streams[direction] = _Stream(segment, begin)
        by_client = not segment.flags & ACK if segment.flags & SYN else None
        yield Opened(direction, by_client)

    def _place(self, stream: _Stream, segment: Segment, begin: int) -> Iterator[Event]:
        """Give or keep the segment's bytes, and see whether it ends the stream."""
        offset = stream.offset(begin)
        position = stream.next + offset
        if segment.length and abs(offset) > WINDOW:
            yield from self._skip_holes(stream)
            yield Gap(stream.direction)
            stream.first = stream.next = position
            stream.end = None
            offset = 0
        if segment.flags & (FIN | RST) and 0 <= offset <= WINDOW:
            stream.end = position + segment.length
        if segment.length:
            entry = (position, segment.length, segment.time, segment.payload)
            heapq.heappush(stream.waiting, entry)
            self._hold(stream, _OVERHEAD + len(segment.payload))
        yield from self._drain(stream)
        yield from self._skip_holes(stream, segment.time - HOLE_WAIT_S)
        while stream.held > HELD_PER_DIRECTION:
            yield from self._skip_hole(stream)
        while self._held > HELD_IN_ALL:
            yield from self._skip_hole(next(s for s in self._streams.values() if s.waiting))

    def _hold(self, stream: _Stream, size: int) -> None:
        stream.held += size
        self._held += size

    def _pop(self, stream: _Stream) -> tuple[int, int, float, bytes]:
        entry = heapq.heappop(stream.waiting)
        self._hold(stream, -_OVERHEAD - len(entry[3]))
        return entry

    def _drain(self, stream: _Stream) -> Iterator[Event]:
        """Give what joins the next position."""
        while stream.waiting and stream.waiting[0][0] <= stream.next:
            position, length, _, payload = self._pop(stream)
            known = stream.next - position
            if known:
                reason = tally.LATE if position < stream.first else tally.REPEATED
                self._unused.add(reason, min(known, length))
            if known >= length:
                continue
            stream.next = position + length
            if known < len(payload):
                yield Data(stream.direction, payload[known:])
            if len(payload) < length:  # cut by the snap length: nobody will send that again
                self.lost += length - max(known, len(payload))
                yield Gap(stream.direction)
        if stream.end is not None and stream.next >= stream.end:
            stream.end = None
            yield Gap(stream.direction)

    def _skip_hole(self, stream: _Stream) -> Iterator[Event]:
        """Go on behind the first hole."""
        position = stream.waiting[0][0]
        self.lost += position - stream.next
        stream.next = position
        yield Gap(stream.direction)
        yield from self._drain(stream)

    def _skip_holes(self, stream: _Stream, since: float = math.inf) -> Iterator[Event]:
        """Go on behind all holes that have been known since then."""
        while stream.waiting and stream.waiting[0][2] <= since:
            yield from self._skip_hole(stream)

    def _sweep(self, now: float) -> Iterator[Event]:
        """Look at all directions for old holes, and for those that have fallen silent."""
        self._swept = now
        for stream in list(self._streams.values()):
            if stream.waiting:
                yield from self._skip_holes(stream, now - HOLE_WAIT_S)
            if now - stream.seen > IDLE_S:
                yield from self._close(stream.direction)

    def _close(self, direction: Direction) -> Iterator[Event]:
        yield from self._skip_holes(self._streams[direction])
        yield Closed(direction)
        del self._streams[direction]

    def close(self) -> Iterator[Event]:
        """The capture has ended: give what waits."""
        for direction in list(self._streams):
            yield from self._close(direction)
