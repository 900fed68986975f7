#!/bin/sh
# Makes .cache/apps, a virtual environment with the real apps that tests of `ipwatch open` start: Jupyter Lab and
# Notebook, Streamlit, Uvicorn. Where it can not, it says why, and those tests are skipped. Run again it does nothing.
set -u
cd "$(dirname "$0")/.." || exit 0
place=.cache/apps
log=$place.log
apps="jupyterlab notebook streamlit uvicorn"
[ ! -e "$place/.ready" ] || exit 0

skip() {
  echo "no real Jupyter, Streamlit and Uvicorn for the tests: $1; the tests that need them are skipped"
  exit 0
}

briefly() {
  if command -v timeout >/dev/null 2>&1; then timeout "$@"; else
    shift
    "$@"
  fi
}

python=${PYTHON:-python3}
"$python" -c 'import venv, ensurepip' 2>/dev/null || skip "$python has no venv (apt-get install python3-venv)"
free=$(df -Pk . | awk 'NR == 2 { print $4 }')
[ "${free:-0}" -gt 1500000 ] || skip "they take 0.8 GB and less than 1.5 GB are free"
mkdir -p .cache
echo "installing $apps into $place"
briefly 60 "$python" -m venv "$place" >"$log" 2>&1 || skip "$(tail -n 1 "$log")"
briefly 600 "$place/bin/python" -m pip install -q --disable-pip-version-check --prefer-binary --retries 1 --timeout 20 \
  $apps >"$log" 2>&1 || skip "$(grep -i error "$log" | tail -n 1)"
: >"$place/.ready"
