"""Where decoded data goes: one module a kind of output."""
