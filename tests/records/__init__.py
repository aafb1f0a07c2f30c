"""Tests of `se.records`."""
