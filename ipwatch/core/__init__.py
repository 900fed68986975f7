"""The core: values in, values out. No socket, no file, no clock, no logging, no randomness. Read this first.

The service's round (service/round.py) puts these together in this order:

    address       what an address is, and which can not be a house's public one
    consensus     whom to ask, and what their answers come to: agreed, disputed, silent
    belief        how a verdict moves what is believed; flapping is damped here
    record        what is to be sent, what follows from each outcome; latches and back-off
    unlock        opening latches; times after a clock that was set back
    verification  what the zone's own servers show: seen, late, wrong, hidden
    telling       which events follow from how things stand and what was told before
    outbox        events on their way to the notifiers
    message       events as words (words, times) for people
    due           when work is due next

    state         everything that is kept; outcome, event: its vocabulary
    history       what the stored events say about the past
    dnsname       host names in one spelling

The laptop's half:

    host          host keys, and whether a shown one is the host's
    candidate     where the house might be, and who says so
    locating      whom to believe about an address, in which order to dial, why nothing was found
    waking        stages of a boot, an estimate, the pace of looking, likely causes
    forward       local, SOCKS and remote forwards
    tunnel        one tunnel's life: the table of states; its words are in tunnel_model
    window        how many bytes of a channel may be under way
    app           remote apps: what is asked of the host, what its answers mean
    lease         when a host that is used is told not to fall asleep
    doctor        what is well and what is not: here and on the way; doctor_there: on a host; doctor_way: to wake it
    trouble       what ends a command: a sentence and an exit status; ssh_faults: of servers that are none
"""
