"""The SolarEdge protocol, sans-IO: bytes in, events and bytes out, no clock."""
