#!/usr/bin/env bash
# Runs the snippets of the README's section "Serve it" as they are written, in the root of the repository, against a running
# server; only its address is put in. Called by run.sh with the server's URL and the folder of the clients.
set -euo pipefail
root=$(cd "$(dirname "$0")/../../../.." && pwd)
url=$1 clients=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A file for each fenced block, named by its number and language.
awk -v dir="$work" '
  /^## / { on = $0 == "## Serve it" }
  on && /^```/ { if (file) { close(file); file = "" } else { file = sprintf("%s/%02d.%s", dir, ++n, substr($0, 4)) } next }
  file { print > file }' "$root/README.md"
sed -i "s#http://127.0.0.1:8080#$url#g" "$work"/*
cd "$root"
ran=0
for snippet in "$work"/*; do
  case $snippet in
    *.sh) if [ "$(cat "$snippet")" = "fovea serve" ]; then continue; fi; run=(bash "$snippet") ;;
    *.python) run=("$clients/venv/bin/python" "$snippet") ;;
    *.javascript) cp "$snippet" "$clients/npm/snippet.mjs"; run=(node "$clients/npm/snippet.mjs") ;;
    *.go) mv "$snippet" "$work/main.go"; run=(go run "$work/main.go") ;;
    *) echo "the README has a snippet of an unknown kind: $snippet"; exit 1 ;;
  esac
  command -v "${run[0]}" >/dev/null || { echo "skipped: a snippet of the README needs ${run[0]}, and there is none here"; continue; }
  out=$("${run[@]}") || { echo "a snippet of the README fails: $snippet"; exit 1; }
  grep -qE 'person|people|heart|answer|[0-9]' <<<"$out" || { echo "a snippet of the README says nothing about its picture: $snippet: $out"; exit 1; }
  echo "README, ${snippet##*.}: $(head -c 120 <<<"$out" | head -1)"
  ran=$((ran + 1))
done
echo "$ran snippets of the README ran as written"
