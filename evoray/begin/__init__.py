"""How a run is begun: a configuration is made, explained and checked, and the machine is looked at."""
