"""Tests of `se.sinks`."""
