# For the scripts that need tools of Python, Node or Debian: each gets what it needs into a folder of its own, and says why
# when that cannot be had here. Source it.

# skip REASON… says why a check is left out.
skip() { echo "skipped: $*"; }

# fetched WHAT COMMAND… installs packages. When they cannot be fetched it says so and fails.
fetched() {
  local what=$1 log
  shift
  log=$(mktemp)
  if "$@" >"$log" 2>&1; then
    rm -f "$log"
    return
  fi
  skip "$what cannot be installed here: $(grep -v '^\s*$' "$log" | tail -1)"
  rm -f "$log"
  return 1
}

# program NAME PACKAGE… sees to it that there is a program, if need be from Debian's packages.
program() {
  local name=$1
  shift
  command -v "$name" >/dev/null && return
  if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    skip "there is no $name here, and apt-get install $* cannot be run"
    return 1
  fi
  fetched "$*" env DEBIAN_FRONTEND=noninteractive sh -c 'apt-get install -y -q --no-install-recommends "$@" || { apt-get update -q && apt-get install -y -q --no-install-recommends "$@"; }' - "$@"
}

# packages FOLDER PACKAGE… installs packages of PyPI into a virtual environment, which it makes.
packages() {
  local dir=$1
  shift
  program python3 python3 python3-venv || return
  [ -x "$dir/bin/python" ] || python3 -m venv "$dir" >/dev/null 2>&1 ||
    { fetched python3-venv apt-get install -y -q python3-venv && python3 -m venv "$dir"; } || return
  fetched "$*" "$dir/bin/python" -m pip install -q --disable-pip-version-check "$@"
}
