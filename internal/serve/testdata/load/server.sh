# A server under test, for the scripts beside; source it. It wants $fovea, $work, a folder of its own, and $limit, GOMEMLIMIT in MiB.
server=

# start FLAG… starts a server, and ends the one before. $url is where it listens. It is in a group of its own: who stops the script stops
# its clients.
start() {
  stop
  rm -f "$work/out"
  GOMEMLIMIT=${limit}MiB setsid "$fovea" serve --addr 127.0.0.1:0 --json "$@" >"$work/out" 2>"$work/log" &
  server=$!
  until grep -qs 'listens at' "$work/out"; do kill -0 "$server" || exit 1; sleep 0.05; done
  url=$(sed -n '1s/.* at //p' "$work/out")
  host=${url#http://}
  until get /readyz | grep -q ' 200 '; do kill -0 "$server" || exit 1; sleep 0.05; done
}
stop() {
  [ -z "$server" ] || { kill "$server" && wait "$server" || true; }
  server=
}

get() { exec 3<>"/dev/tcp/${host%:*}/${host##*:}" && printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$1" >&3 && cat <&3; }
metric() { get /metrics | awk -v n="$1" '$1 == n { print $2 }'; }
# memory FIELD is one of those of /proc/PID/status, in MB.
memory() { awk -v f="$1:" '$1 == f { printf "%.2f", $2 / 1024 }' "/proc/$server/status"; }

failed=0
promise() { # WHAT VALUE OP BOUND
  if [[ $2 =~ ^-?[0-9.e+-]+$ ]] && awk "BEGIN { exit !($2 $3 $4) }"; then echo "holds:  $1: $2 $3 $4"; else echo "MISSED: $1: $2, want $3 $4"; failed=1; fi
}
