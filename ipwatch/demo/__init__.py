"""The bundled house: a provider, name servers, pages and a mail server on loopback, and the play that is given in it.

    journal   what was observed, in order; everything waits on it
    line      the house's line: servers behind it answer while it is up
    echo, nameserver, dyndns2, mailsink   the internet, one server a file
    house     all of them together, and the configuration that points at them
    timeline, play   `ipwatch demo`

Nothing here is reached by the service: it only ever sees sockets. So the house may read the clock, wait, and use
dnspython (in nameserver.py), which elsewhere have one file each: a server needs the codec just as a client does.
"""
