# Runs on the host, as `sh -s`, with what doctor.py puts before and after it. POSIX sh; reads, and changes nothing.
#
# Given: lan (its address in the house, or nothing), and for `wake_way` also program, sudo (yes or nothing), ports (words
# of the wake command that look like interfaces), and the function `may`, which asks sudo whether it would run
# that command. Told: key=value, one a line, the last one end=yes. Everything reads </dev/null: standard input is this
# script.

LC_ALL=C
export LC_ALL
own_path=$PATH
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/opt/homebrew/bin:$HOME/.local/bin

tell() { # key, value: nothing is told of what is not known
  [ -z "$2" ] || printf '%s=%s\n' "$1" "$(printf %s "$2" | tr '\000-\037\177' ' ' | cut -c1-400)"
}

has() {
  command -v "$1" >/dev/null 2>&1
}

brief() { # what a program says within 5 s
  if has timeout; then timeout 5 "$@" </dev/null 2>/dev/null; else "$@" </dev/null 2>/dev/null; fi
}

system() {
  tell os "$(uname -s)"
  tell kernel "$(uname -r)"
  tell user "$(id -un)"
  if [ -r /etc.defaults/VERSION ]; then
    tell system "Synology DSM $(sed -n 's/^productversion="\(.*\)"/\1/p' /etc.defaults/VERSION)"
  elif has sw_vers; then
    tell system "macOS $(brief sw_vers -productVersion)"
  elif [ -r /etc/os-release ]; then
    tell system "$(sed -n 's/^PRETTY_NAME=//p' /etc/os-release | tr -d '"')"
  fi
}

# The interface: the one with its address in the house, else the one its default route leaves by.

linux_interface() {
  iface=
  [ -z "$lan" ] || iface=$(brief ip -o addr show | awk -v ip="$lan" '{ split($4, a, "/"); if (a[1] == ip) { print $2; exit } }')
  [ -z "$iface" ] || tell by lan
  [ -n "$iface" ] || iface=$(brief ip route show default | awk '{ for (i = 1; i < NF; i++) if ($i == "dev") { print $(i + 1); exit } }')
  [ -n "$iface" ] || [ ! -r /proc/net/route ] || iface=$(awk '$2 == "00000000" { print $1; exit }' /proc/net/route)
  iface=${iface%%@*}
  [ -n "$iface" ] || return 0
  net=/sys/class/net
  port=$iface
  if [ ! -e "$net/$iface/device" ]; then # a bridge or a bond: the card below it is what wakes
    for lower in "$net/$iface"/lower_*; do
      [ -e "$lower/device" ] && port=${lower##*/lower_} && break
    done
  fi
  tell iface "$port"
  tell mac "$(cat "$net/$port/address" 2>/dev/null)"
  tell macs "$(for one in "$net"/*; do printf '%s/%s ' "${one##*/}" "$(cat "$one/address" 2>/dev/null)"; done)"
  if [ -d "$net/$port/wireless" ] || [ -d "$net/$port/phy80211" ]; then tell wifi yes; fi
  has ethtool && tell ethtool yes
  said=$(brief ethtool "$port")
  tell wol "$(printf '%s\n' "$said" | sed -n 's/^[[:space:]]*Wake-on: *//p')"
  tell wol_can "$(printf '%s\n' "$said" | sed -n 's/^[[:space:]]*Supports Wake-on: *//p')"
  tell wakeup "$(cat "$net/$port/device/power/wakeup" 2>/dev/null)"
}

linux_lasting() { # what switches Wake-on-LAN on at each start
  connection=$(brief nmcli -e no -g GENERAL.CONNECTION device show "$port")
  if [ -n "$connection" ] && [ "$connection" != -- ]; then
    tell nm "$connection"
    tell nm_wol "$(brief nmcli -e no -g 802-3-ethernet.wake-on-lan connection show id "$connection")"
  fi
  link=$(brief udevadm info -q property -p "$net/$port" | sed -n 's/^ID_NET_LINK_FILE=//p')
  if [ -n "$link" ]; then
    set -- "$link" "/etc/systemd/network/${link##*/}.d"/*.conf
  else
    set -- /etc/systemd/network/*.link /run/systemd/network/*.link
  fi
  for file; do
    value=$(sed -n 's/^[[:space:]]*WakeOnLan=//p' "$file" 2>/dev/null | tail -n 1)
    [ -z "$value" ] || { tell link_wol "$value" && tell link_file "$file"; }
  done
  for file in /etc/netplan/*.yaml; do
    [ -e "$file" ] || continue
    tell netplan "$file"
    if [ ! -r "$file" ]; then
      tell netplan_hidden yes
    elif grep -Eq '^[[:space:]]*wakeonlan:[[:space:]]*(true|yes|on)' "$file"; then
      tell netplan_wol yes
    fi
  done
  tell other_wol "$(grep -lsE '^[^#]*(ethernet-wol +g|ethtool.* wol +[a-z]*g)' /etc/network/interfaces \
    /etc/network/interfaces.d/* /etc/systemd/system/*.service /etc/udev/rules.d/* /etc/rc.local | head -n 1)"
}

mac_interface() {
  iface=
  for one in $(brief ifconfig -l); do
    [ -n "$lan" ] && brief ifconfig "$one" | grep -Fq "inet $lan " && iface=$one && tell by lan && break
  done
  [ -n "$iface" ] || iface=$(brief route -n get default | sed -n 's/^ *interface: *//p')
  [ -n "$iface" ] || return 0
  tell iface "$iface"
  tell mac "$(brief ifconfig "$iface" | sed -n 's/^[[:space:]]*ether \([0-9a-f:]*\).*/\1/p')"
  tell macs "$(for one in $(brief ifconfig -l); do
    printf '%s/%s ' "$one" "$(brief ifconfig "$one" | sed -n 's/^[[:space:]]*ether \([0-9a-f:]*\).*/\1/p')"
  done)"
  wifi=$(brief networksetup -listallhardwareports | awk '/^Hardware Port: Wi-Fi/ { getline; print $2 }')
  [ "$wifi" != "$iface" ] || tell wifi yes
  tell womp "$(brief pmset -g | awk '$1 == "womp" { print $2; exit }')"
}

# Its SSH server. Only root may ask it; else its files are read, as far as they can be.

daemon() {
  all=
  ! has sshd || all=$(brief "$(command -v sshd)" -T) # sshd wants to be called by its full path
  set --
  if [ -n "$all" ]; then
    tell sshd asked
  else
    if grep -qsi '^[[:space:]]*Include.*sshd_config\.d' /etc/ssh/sshd_config; then
      for file in /etc/ssh/sshd_config.d/*.conf; do
        [ ! -e "$file" ] || if [ -r "$file" ]; then set -- "$@" "$file"; else tell sshd_hidden "$file"; fi
      done
    fi
    if [ -r /etc/ssh/sshd_config ]; then set -- "$@" /etc/ssh/sshd_config; else tell sshd_hidden /etc/ssh/sshd_config; fi
    tell sshd read
    [ $# -eq 0 ] || all=$(awk 'FNR == 1 { off = 0 } tolower($1) == "match" { off = 1 } !off' "$@")
  fi
  for key in passwordauthentication kbdinteractiveauthentication clientaliveinterval allowtcpforwarding; do
    tell "$key" "$(printf '%s\n' "$all" | awk -v key="$key" 'tolower($1) == key { print tolower($2); exit }')"
  done
}

# Whether it falls asleep by itself, and what keeps it from doing so.

idle() {
  if has systemd-inhibit; then
    if brief systemd-inhibit --list >/dev/null; then tell inhibit systemd-inhibit; else tell inhibit mute; fi
  elif has caffeinate; then
    tell inhibit caffeinate
  else
    tell inhibit none
  fi
  has gnome-session-inhibit && tell inhibit_gnome yes
  power=org.gnome.settings-daemon.plugins.power
  if has gsettings; then
    tell gnome_idle "$(brief gsettings get $power sleep-inactive-ac-type) $(brief gsettings get $power sleep-inactive-ac-timeout)"
  fi
  # Nobody is logged in at it: GNOME's login screen, a user of its own, is on.
  tell greeter "$(brief loginctl list-sessions --no-legend | awk '$3 ~ /gdm$/ && $4 ~ /^seat/ { print $3; exit }')"
  login1=org.freedesktop.login1
  tell logind_idle "$(brief busctl get-property $login1 /org/freedesktop/login1 $login1.Manager IdleAction | cut -d '"' -f 2)"
}

apps() {
  PATH=$PATH:$HOME/.venv/bin:$HOME/venv/bin
  tell apps "$(for one in jupyter streamlit uvicorn docker; do ! has $one || printf '%s ' $one; done)"
}

own() {
  system
  case $(uname -s) in
  Linux) linux_interface && [ -z "$iface" ] || linux_lasting ;;
  Darwin) mac_interface ;;
  esac
  daemon
  idle
  apps
  tell end yes
}

# On the host that wakes another: whether its command would run. It is not run.

wake_way() {
  system
  tell program "$(PATH=$own_path && command -v "$program")"
  for place in /usr/syno/sbin /usr/local/sbin /usr/local/bin /usr/sbin /sbin; do
    [ ! -x "$place/${program##*/}" ] || tell elsewhere "$place/${program##*/}"
  done
  if [ -n "$sudo" ]; then
    (
      PATH=$own_path
      has sudo || exit 0
      tell sudo yes
      said=$(may 2>&1 </dev/null) && tell sudo_may yes
      tell sudo_said "$(printf '%s\n' "$said" | head -n 1)"
      tell sudo_free "$(sudo -n -l 2>/dev/null </dev/null | grep NOPASSWD)"
    )
  fi
  for one in $ports; do
    tell "port_$one" "$(cat "/sys/class/net/$one/operstate" 2>/dev/null || echo missing)"
  done
  tell ports_up "$(for one in /sys/class/net/*; do
    [ ! -e "$one/device" ] && [ "${one#*ovs_}" = "$one" ] && [ "${one#*bond}" = "$one" ] && continue
    [ "$(cat "$one/operstate" 2>/dev/null)" = up ] && printf '%s ' "${one##*/}"
  done)"
  daemon
  tell end yes
}
