"""The TCP ports on which inverters look for their server."""

TCP_PORT = 22222
FALLBACK_TCP_PORTS = (22221, 80)  # where they try when the usual one does not answer
