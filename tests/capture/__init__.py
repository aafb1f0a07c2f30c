"""Tests of `se.capture`."""
