"""Values that mean the same wherever they stand in a message."""

from __future__ import annotations

import struct

NOT_REPORTED = b"\xff\xff\x7f\xff"  # as f32, -3.4e38; as u32, 4286578687
NOT_REPORTED_VALUES = (*struct.unpack("<f", NOT_REPORTED), *struct.unpack("<L", NOT_REPORTED))
ID_BITS = 0xFF7FFFFF  # on the wire an ID may carry one bit more
