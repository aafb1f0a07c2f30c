"""Bytes in and out: serial ports, the network, recordings."""
