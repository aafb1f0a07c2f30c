"""semonitor.py: where its sources, keys, log and output meet."""
