"""Values that mean the same wherever they stand in a message."""

from __future__ import annotations

import struct

NOT_REPORTED = b"\xff\xff\x7f\xff"  # as f32, -3.4e38; as u32, 4286578687
NOT_REPORTED_VALUES = (*struct.unpack("<f", NOT_REPORTED), *struct.unpack("<L", NOT_REPORTED))
EXTRA_ID_BIT = 0x00800000  # on the wire an ID may carry it
ID_BITS = 0xFFFFFFFF ^ EXTRA_ID_BIT
