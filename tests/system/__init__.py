"""Whole programs, started as users start them, with real servers, networks and devices."""
