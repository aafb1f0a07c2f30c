"""Packet captures, sans-IO: a file's bytes in, packets, segments and streams out."""
