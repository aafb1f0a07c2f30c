"""Tests of `se.simulator`."""
