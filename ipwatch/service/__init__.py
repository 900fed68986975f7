"""App one: the service. `round` is the order of work, written once; read it first.

main        the composition root, signals, `once`
timetable   APScheduler, which only wakes the worker
world       the adapters of one configuration
observe     asks the sources        verify   asks the zone's servers        announce   speaks to the notifiers
log         one line per decision
"""
