#!/usr/bin/env bash
# Asks a running server of this tree with the real clients, unmodified: every call that they have for what the server offers,
# streams and errors included. Installs the clients from PyPI and npm at fixed versions into a folder that is thrown away
# (or into $CLIENTS, which stays and makes the next run quick). Ends with 1 when an answer is not what a client's users expect.
#   internal/serve/testdata/clients/run.sh [PROGRAM]   PROGRAM is a fovea; without it, it is built
# $SEED and $EXAMPLES: what schemathesis draws its requests from, and how many for each operation. Both are fixed, so that a
# change does not fail by chance.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../../.." && pwd)
. "$root/.ci/lib.sh"
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
host=${url#http://}
ready() { exec 3<>"/dev/tcp/${host%:*}/${host##*:}" && printf 'GET /readyz HTTP/1.0\r\n\r\n' >&3 && grep -q '^HTTP/1.. 200' <&3; }
for _ in $(seq 300); do
  ready && break
  sleep 0.1
done

photo=$root/examples/park.png
py=$dir/venv/bin/python
if packages "$dir/venv" openai==3.57.0 ollama==0.6.3 'tritonclient[http,grpc]==2.73.0' inference-sdk==1.8.3 pillow==12.3.0 &&
  packages "$dir/venv" --no-deps moondream==2.6.1; then # its dependencies are for running Moondream itself
  "$py" -c 'import sys; from PIL import Image; Image.open(sys.argv[1]).convert("RGB").save(sys.argv[2])' "$photo" "$work/photo.jpg"
  for c in openai ollama moondream triton roboflow; do
    "$py" -W ignore "$here/check_$c.py" "$url" "$work/photo.jpg"
  done
  "$py" -W ignore "$here/check_triton_grpc.py" "$grpc" "$work/photo.jpg"
  photo=$work/photo.jpg
fi
# schemathesis has dependencies that do not go with those of the clients.
if packages "$dir/schemathesis" schemathesis==4.32.5; then
  SCHEMATHESIS_HOOKS=$here/schemathesis_hooks.py "$dir/schemathesis/bin/schemathesis" --config-file "$here/schemathesis.toml" run "$url/openapi.yaml" \
    --url "$url" --request-timeout 60 --seed "${SEED:-1}" --max-examples "${EXAMPLES:-40}"
fi
mkdir -p "$dir/npm"
if program node nodejs && program npm npm && (cd "$dir/npm" && fetched "openai and ollama from npm" npm install --no-audit --no-fund openai@6.49.0 ollama@0.6.4); then
  (cd "$dir/npm" && cp "$here/check_npm.mjs" . && node check_npm.mjs "$url" "$photo")
fi
"$here/snippets.sh" "$url" "$dir"
echo "all clients are content"
