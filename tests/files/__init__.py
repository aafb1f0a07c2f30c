"""Tests of `se.files`."""
