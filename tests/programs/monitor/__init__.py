"""Tests of `se.programs.monitor`."""
