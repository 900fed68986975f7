#!/bin/sh
# Installs the real servers that tests talk to, where this is Debian and root. Elsewhere those tests skip and say why.
set -eu
want="nsd:nsd named:bind9 dig:bind9-dnsutils nsupdate:bind9-dnsutils knotd:knot postfix:postfix dovecot:dovecot-core
  sshd:openssh-server ssh:openssh-client rsync:rsync git:git curl:curl ip:iproute2 nft:nftables tcpdump:tcpdump tmux:tmux
  zsh:zsh fish:fish busybox:busybox ping:iputils-ping miniupnpd:miniupnpd-nftables podman:podman buildah:buildah debootstrap:debootstrap
  runc:runc pgrep:procps"
missing=
for pair in $want; do
  command -v "${pair%%:*}" >/dev/null 2>&1 || [ -x "/usr/sbin/${pair%%:*}" ] || missing="$missing ${pair#*:}"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "not installed:$missing; the tests that need them are skipped (apt-get install$missing)"
  exit 0
fi
echo "installing$missing"
# A server that starts at its installation would talk to the network: forbid it for the while.
rc=/usr/sbin/policy-rc.d
made=
if [ ! -e "$rc" ]; then printf '#!/bin/sh\nexit 101\n' >"$rc"; chmod 755 "$rc"; made=1; fi
export DEBIAN_FRONTEND=noninteractive
{ apt-get update && apt-get install -y --no-install-recommends $missing; } >/tmp/ipwatch-apt.log 2>&1 ||
  { echo "apt-get could not install them; the tests that need them are skipped"; tail -n 3 /tmp/ipwatch-apt.log; }
[ -z "$made" ] || rm -f "$rc"
