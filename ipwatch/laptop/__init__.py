"""The laptop's half: one tunnel's life is  locate -> wake -> dial -> prove -> forward.

world       what every command is handed: settings, memory and ports (main.py puts it together)
memory      what is kept between commands: pinned keys, proved addresses, boot times. Standard library only
locate      candidates for the house, from all ways at once; authority: the zone's own name servers
find        dial candidates as they arrive, prove them; hunt does it, sight is what it tells, proof one
            candidate's end
login       who logs in: laptop.toml over what `ssh -G` says
trust       show, ask and pin host keys; collect gets them
wake        wake a host, watch it boot, put it to sleep; ways: directly, through another host, by a URL
supervisor  runs the table of core/tunnel.py for one host; seek: its searches, vain: why one failed, remember:
            passphrases, watch: sleep and changes of network, report: what it says, single: one of a kind at a time
forwarder   the local listeners, which stay open through every loss
socks       the SOCKS5 side of a listener
proxy       for ssh's ProxyCommand, in proxy_*. Standard library only until an address is known
sshconfig   the Include file for ssh, scp, sftp, rsync, git and VS Code
ssh         the system's ssh with the current address
apps        start or find a remote app and forward it; presets in apps/
lease       keeps a host awake while its tunnel is used
doctor      looks at the whole chain to a host; doctor.sh is what it runs there
say         what a waiting person sees: a status line on a terminal, plain lines in a pipe, JSON

`supervisor`, `forwarder` and `apps` are written against ports/remote.py; which engine carries the traffic is decided in
`main` alone.
"""
