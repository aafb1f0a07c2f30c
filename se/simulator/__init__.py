"""A believable site to try things on: `python3 -m se.simulator`, see `--help`.

    irradiance         how strongly the sun shines, by date, time and clouds
    meter_and_battery  what a household uses, its battery, and its meter
    inverter           power and energies of an inverter and its optimizers
    site               all of these: what they report, when
    encoder            sequence numbers and encryption of one inverter's messages
    report_queue       its reports as messages, one at a time
    commands           what it answers to commands
    faults             how it and its line misbehave, if they should
    device             these together: one inverter in conversation with a server or RS485 master

Nothing in these knows a clock or a file: time is an argument, random numbers come from a seed, so
the same options always give the same bytes. `terminal` and `client` connect devices with the world.
"""
