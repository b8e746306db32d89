"""`python -m device_sim` is `bwc-sim`."""

from device_sim.cli import main

main()
