"""A whole home in network namespaces, and the internet as far as it needs one. Needs root; nothing in it can get out.

       internet                isp                        router                      nas      desktop
  pages, names, mail, <---> routes, lies  <-- access --> NAT, forwards  <-- LAN -->  service   sshd, Jupyter
   DynDNS, DoH, liar         |        |      network      miniupnpd                   sshd      asleep
                           laptop   stranger (gets every address the house loses)

wires      namespaces and the cables between them; what an earlier run left behind is swept away
internet   the servers: real BIND three times, echo pages, a mail server, a dyndns2 provider, DNS over HTTPS, a liar
home       router, NAS and the desktop that sleeps until a magic packet arrives at its card
shipped    the service in its container, where podman and the rest are there
laptop     `ipwatch` and a browser, somewhere else
lab        all of it, and what the ISP does: `change_address`, `carrier_nat`, `hijack`, `cut`
table      fault, what was lost, seconds to recovery; `python -m tests.lab` runs the story and prints it

The addresses out of 25.0.0.0/8 look like any public ones and exist only inside the namespaces.
"""
