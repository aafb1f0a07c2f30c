"""A believable site to try things on: `python3 -m se.simulator`, see `--help`.

    sky       how strongly the sun shines, by date, time and clouds
    house     a meter and a battery
    site      inverters and their optimizers: what they report, when
    voice     sequence numbers and encryption of one inverter's messages
    story     what it has to tell, one message at a time
    commands  what it answers to commands
    faults    how it misbehaves, if it is told to
    device    all these together: one inverter in conversation with a server or RS485 master

Nothing in these knows a clock or a file: time is an argument, chance comes from a seed, so the
same options always give the same bytes. `terminal` and `client` connect devices with the world.
"""
