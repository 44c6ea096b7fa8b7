#!/usr/bin/env bash
# Asks a running server of this tree with the real clients, unmodified: every call that they have for what the server offers,
# streams and errors included. Installs the clients from PyPI and npm at fixed versions into a folder that is thrown away
# (or into $CLIENTS, which stays and makes the next run quick). Ends with 1 when an answer is not what a client's users expect.
#   internal/serve/testdata/clients/run.sh [PROGRAM]   PROGRAM is a fovea; without it, it is built
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../../.." && pwd)
work=$(mktemp -d)
dir=${CLIENTS:-$work/clients}
mkdir -p "$dir"
server=
finish() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

program=${1:-}
if [ -z "$program" ]; then
  program=$work/fovea
  (cd "$root" && CGO_ENABLED=0 go build -trimpath -o "$program" ./cmd/fovea)
fi

# Any free ports: the server prints them.
"$program" serve --addr 127.0.0.1:0 --grpc-addr 127.0.0.1:0 --quiet >"$work/out" &
server=$!
for _ in $(seq 300); do
  [ "$(grep -c 'listens at' "$work/out" || true)" -ge 2 ] && break
  kill -0 "$server" || { echo "the server has ended"; exit 1; }
  sleep 0.1
done
url=$(sed -n '1s/.* at //p' "$work/out")
grpc=$(sed -n '2s/.* at //p' "$work/out")

if command -v python3 >/dev/null; then
  py=$dir/venv/bin/python
  [ -x "$py" ] || python3 -m venv "$dir/venv"
  "$py" -m pip install -q --disable-pip-version-check openai==3.57.0 ollama==0.6.3 'tritonclient[http,grpc]==2.73.0' inference-sdk==1.8.3 pillow==12.3.0
  "$py" -m pip install -q --disable-pip-version-check --no-deps moondream==2.6.1 # its dependencies are for running Moondream itself
  "$py" -c 'import sys; from PIL import Image; Image.open(sys.argv[1]).convert("RGB").save(sys.argv[2])' "$root/examples/park.png" "$work/photo.jpg"
  for _ in $(seq 300); do
    "$py" -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1] + "/readyz")' "$url" 2>/dev/null && break
    sleep 0.1
  done
  for c in openai ollama moondream triton roboflow; do
    "$py" -W ignore "$here/check_$c.py" "$url" "$work/photo.jpg"
  done
  "$py" -W ignore "$here/check_triton_grpc.py" "$grpc" "$work/photo.jpg"
  # schemathesis has dependencies that do not go with those of the clients.
  st=$dir/schemathesis/bin
  [ -x "$st/python" ] || python3 -m venv "$dir/schemathesis"
  "$st/python" -m pip install -q --disable-pip-version-check schemathesis==4.32.5
  "$st/schemathesis" --config-file "$here/schemathesis.toml" run "$url/openapi.yaml" --url "$url"
else
  echo "skipped: the clients from PyPI need Python, and there is none here"
fi

if command -v node >/dev/null && command -v npm >/dev/null; then
  mkdir -p "$dir/npm"
  [ -f "$work/photo.jpg" ] || cp "$root/examples/park.png" "$work/photo.jpg"
  (cd "$dir/npm" && npm install --silent --no-audit --no-fund openai@6.49.0 ollama@0.6.4 >/dev/null && cp "$here/check_npm.mjs" . && node check_npm.mjs "$url" "$work/photo.jpg")
else
  echo "skipped: the clients from npm need Node, and there is none here"
fi
echo "all clients are content"
