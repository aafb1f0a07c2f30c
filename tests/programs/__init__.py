"""Tests of `se.programs`."""
