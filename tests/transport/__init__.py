"""Tests of `se.transport`."""
