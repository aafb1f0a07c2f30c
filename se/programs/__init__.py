"""What each program does, from its options to its exit code. Nothing imports this room."""
