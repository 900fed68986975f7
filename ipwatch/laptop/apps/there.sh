# Runs on the host, as `sh -s`, with what there.py puts before and after it. POSIX sh; no Python is needed there.
#
# Given: mode, name, key, title, program, command, folder, port (0: any), first, token, and the function `launch`.
# Told: one JSON object a line, the last one {"fact":"end"}. Everything reads </dev/null: standard input is this script.

quote() { # one line of text as a JSON string
  printf '"%s"' "$(printf %s "$1" | LC_ALL=C tr -d '\000-\037\177' | LC_ALL=C sed 's/\\/\\\\/g; s/"/\\"/g')"
}

tell() { # fact, then key and text in turn
  line="{\"fact\":\"$1\""
  shift
  while [ $# -gt 1 ]; do
    line="$line,\"$1\":$(quote "$2")"
    shift 2
  done
  printf '%s}\n' "$line"
}

fail() {
  tell fault "$@"
  tell end
  exit 0
}

tell_log() { # the log's last lines that say something
  [ -r "$1" ] || return 0
  LC_ALL=C tr '\011\015' ' \n' <"$1" | LC_ALL=C tr -cd '\012\040-\176\200-\377' | LC_ALL=C sed '/^ *$/d' | tail -n 20 |
    LC_ALL=C cut -c1-400 | LC_ALL=C sed 's/\\/\\\\/g; s/"/\\"/g; s/^/{"fact":"line","text":"/; s/$/"}/'
}

birth() { # when a process began, in whatever form the system has it: a number used again is another process.
  # proc(5): the state is field 3 (Z: it has ended), the start time field 22
  if [ -r "/proc/$1/stat" ]; then
    sed -n 's/^.*) [^ZX] //p' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 19
  else
    ps -o lstart= -p "$1" 2>/dev/null
  fi
}

remembered() { # reads a state file into pid, there and born; whether that process runs
  pid= there= born=
  [ -r "$1" ] || return 1
  { read -r pid && read -r there && read -r born && read -r what; } <"$1" || return 1
  case $pid$there in *[!0-9]* | '') return 1 ;; esac
  kill -0 "$pid" 2>/dev/null && [ "$(birth "$pid")" = "$born" ]
}

remember() {
  (
    umask 077
    printf '%s\n' "$pid" "$port" "$(birth "$pid")" "$title" >"$state.$$" && mv "$state.$$" "$state"
  )
}

runnable() { # sets found when it is a program's path
  case $1 in
  /*) [ -f "$1" ] && [ -x "$1" ] && found=$1 ;;
  *) return 1 ;;
  esac
}

briefly() { # a start-up file of the user's may wait for something
  if command -v timeout >/dev/null 2>&1; then timeout 10 "$@"; else "$@"; fi
}

by_shell() { # what the user's own shell finds, asked as $1
  case ${SHELL##*/} in bash | zsh | ksh | dash | sh | fish) ;; *) return 1 ;; esac
  runnable "$(briefly "$SHELL" "$1" "command -v $2" </dev/null 2>/dev/null | grep '^/' | tail -n 1)"
}

locate() {
  found=
  runnable "$PWD/.venv/bin/$1" || runnable "$PWD/venv/bin/$1" || runnable "$(command -v "$1")" ||
    runnable "$HOME/.local/bin/$1" || by_shell -lc "$1" || by_shell -ic "$1" && return 0
  for place in "$HOME"/*conda*/bin "$HOME"/*forge*/bin "$HOME"/*mamba*/bin /opt/*conda*/bin /opt/*forge*/bin \
    "$HOME/.venv/bin" "$HOME/venv/bin" "$HOME"/*conda*/envs/*/bin "$HOME"/*forge*/envs/*/bin \
    "$HOME"/*mamba*/envs/*/bin "$HOME/.pixi/bin" "$HOME/.pyenv/shims" /opt/homebrew/bin /usr/local/bin; do
    runnable "$place/$1" && return 0
  done
  return 1
}

looked() { printf %s "its folder's .venv, PATH, ~/.local/bin, the PATH of your shell, conda's folders and ~/.venv"; }

enter() {
  case $folder in
  '') folder=$HOME ;;
  '~') folder=$HOME ;;
  '~/'*) folder=$HOME/${folder#'~/'} ;;
  esac
  cd "$folder" 2>/dev/null || fail what folder text "$folder"
  tell folder path "$(pwd -P)"
}

listened() { # whether something listens on this port; proc(5): state 0A is LISTEN
  if [ -r /proc/net/tcp ]; then
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep -q ":$(printf %04X "$1") [0-9A-F:]* 0A "
  else
    netstat -an 2>/dev/null | grep LISTEN | grep -q "[.:]$1 "
  fi
}

free_port() {
  if [ "$port" -gt 0 ]; then
    listened "$port" && fail what port text "$port"
    return 0
  fi
  port=$first
  while listened "$port"; do
    port=$((port + 1))
    [ "$port" -lt $((first + 200)) ] || fail what ports text "$first"
  done
}

detach() { # a session of its own, so that neither the end of this one nor a lost line ends it
  (umask 077 && : >"$log") || fail what state text "$log"
  if command -v setsid >/dev/null 2>&1; then
    setsid "$@" </dev/null >"$log" 2>&1 &
  elif command -v perl >/dev/null 2>&1; then
    perl -e 'use POSIX; POSIX::setsid(); exec {$ARGV[0]} @ARGV' "$@" </dev/null >"$log" 2>&1 &
  else
    nohup "$@" </dev/null >"$log" 2>&1 &
  fi
  pid=$!
}

own_command() { # the user's own command line, by the user's own shell
  line=$(printf %s "$command" | LC_ALL=C sed "s/{port}/$port/g")
  PORT=$port
  export PORT
  case ${SHELL##*/} in
  bash | zsh | ksh | dash | sh | fish) detach "$SHELL" -lc "$line" ;;
  *) detach sh -c "$line" ;;
  esac
}

tell_running() {
  remembered "$state" && tell running pid "$pid" port "$there" log "$log"
}

jupyter_servers() { # running ones: their own files first, since asking jupyter takes seconds
  for info in "${JUPYTER_RUNTIME_DIR:-/nowhere}" "${JUPYTER_DATA_DIR:-/nowhere}/runtime" \
    "${XDG_DATA_HOME:-$HOME/.local/share}/jupyter/runtime" "$HOME/Library/Jupyter/runtime"; do
    for file in "$info"/jpserver-*.json "$info"/nbserver-*.json; do
      pid=${file##*server-}
      [ -r "$file" ] && kill -0 "${pid%.json}" 2>/dev/null && printf '{"fact":"server","is":%s}\n' "$(tr '\n' ' ' <"$file")"
    done
  done | grep . && return 0
  locate jupyter || return 0
  { "$found" server list --json </dev/null 2>/dev/null || "$found" notebook list --json </dev/null 2>/dev/null; } |
    sed -n 's/^ *{.*} *$/{"fact":"server","is":&}/p'
}

find_it() {
  enter
  tell_running
  [ "$program" != jupyter ] || jupyter_servers
}

start_it() {
  enter
  tell_running && return 0
  if [ -n "$program" ]; then
    locate "$program" || fail what missing text "$(looked)"
    PATH=${found%/*}:$PATH
    export PATH
  fi
  free_port
  launch
  remember || fail what state text "$state"
  tell started pid "$pid" port "$port" log "$log"
}

look_at() {
  tell_running || tell gone log "$log"
  tell_log "$log"
}

socket_of() { # the container engine's: the user's own before the system's
  other=
  for path in "${DOCKER_HOST#unix://}" "${XDG_RUNTIME_DIR:-/run/user/$(id -u)}/docker.sock" /var/run/docker.sock \
    "$HOME/.docker/run/docker.sock" "$HOME/.colima/default/docker.sock" \
    "${XDG_RUNTIME_DIR:-/run/user/$(id -u)}/podman/podman.sock" /run/podman/podman.sock; do
    [ -S "$path" ] || continue
    if [ -w "$path" ]; then
      tell socket path "$path"
      return 0
    fi
    other=$path
  done
  [ -z "$other" ] || fail what denied text "$other"
  fail what nosocket text "/var/run/docker.sock, $(id -un)'s own docker.sock and podman.sock"
}

stop_it() {
  for state in "$dir"/$key.state; do
    if ! remembered "$state"; then
      rm -f "$state"
      continue
    fi
    kill -TERM "-$pid" 2>/dev/null || kill -TERM "$pid"
    tries=0
    while remembered "$state" && [ $tries -lt 10 ]; do
      sleep 1
      tries=$((tries + 1))
    done
    ! remembered "$state" || kill -KILL "-$pid" 2>/dev/null || kill -KILL "$pid"
    tell stopped pid "$pid" port "$there" title "$what"
    rm -f "$state"
  done
}

main() {
  dir=${XDG_STATE_HOME:-$HOME/.local/state}/ipwatch
  state=$dir/$key.state
  log=$dir/$key.log
  (umask 077 && mkdir -p "$dir") 2>/dev/null || fail what state text "$dir"
  case $mode in
  find) find_it ;;
  start) start_it ;;
  look) look_at ;;
  socket) socket_of ;;
  stop) stop_it ;;
  esac
  tell end
}
