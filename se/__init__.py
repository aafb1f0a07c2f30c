"""Read the performance data of SolarEdge inverters and optimizers in their own protocol."""

__version__ = "1.0.0"
