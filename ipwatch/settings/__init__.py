"""TOML, environment and secret files -> frozen Settings; all faults at once, each with its file and line.

load        load(path, environ, cwd): the one way in; raises SettingsFault. It reads in this order of files:
locate      which configuration file, and where the state lives without one
toml        text -> data, and the line of each key (pure)
reader      what the converters share: places, faults, warnings, origins
convert     data -> settings classes, by their type annotations; `plain`, `secrets` and `duration` are its parts
files       reading the files that are named
faults      Fault, SettingsFault, and "did you mean"
tables      the classes of the tables that belong to no adapter
override    the environment variables that stand above the file
environment a record, its account and a mail notifier out of variables alone
build       one function per table of the configuration
check       what no single table can say, and `check_quorum` for the composition root
fingerprint how a latch learns that its account or record was changed
kinds       which sources, providers and notifiers there are
render      `ipwatch check`
model       what comes out

laptop.toml has a way in of its own, of the standard library alone, for its commands have to start fast:
laptop_load    load(path, environ, cwd); laptop_host reads one [[host]], with laptop_keys and laptop_values
laptop_quick   the few lines that `ipwatch proxy` needs before its first packet
laptop_place   where the file and the laptop's state are
laptop_model   what comes out

No message of this package repeats a value out of the configuration, except a word that is nearly a permitted one, the
name of a record, or the path of a file: a password may stand anywhere by mistake. From the clauses that the adapters'
classes raise, the texts of all secrets that were read are removed.
"""
