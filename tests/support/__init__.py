"""What tests share: simulated sites and days, captures, programs as processes, namespaces."""
