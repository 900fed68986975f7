"""Adapters to the outside: the only code that waits, and the only reader of the clock.

One third-party package a file: http has requests, mail has aiosmtplib, dns and dns_wire have dnspython (two files,
because together they run past the length of one). Everything third-party is translated into the four port errors here.
"""
