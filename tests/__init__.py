"""Tests in the rooms of `se/`, beside support, bench and system (whole programs)."""
