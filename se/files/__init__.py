"""Files as the programs use them: their names, reading and following, writing and replacing."""
