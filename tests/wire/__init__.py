"""Tests of `se.wire`."""
