#!/usr/bin/env bash
# Puts a server as it is by default under load with wrk, on an idle machine, and prints what became of the requests: of one
# client, of 16 that come back when they are told to and of 16 that do at once, at random times at the capacity and ten times
# that, and when the server is told to end. Every picture is a new file. Ends with 1 when a promise is not kept:
#   throughput of 16 clients ≥ 0.9 × that of `fovea bench forward`, the server's own work < 2 ms a request,
#   p99 of answers ≤ 2 × that of one client, refusals with Retry-After and p99 < 50 ms, memory within GOMEMLIMIT and a tenth, and on
#   SIGTERM every request that was let in is answered.
# The load generator and the server share the machine: what each of them took of it is printed, too, and what others took: how
# long the server's threads could have run and had no processor. Where that is not little, the figures are the machine's.
# A row takes SECONDS, and half as many more at random times: the first eight requests or so are a burst to the server, and wait.
#   internal/serve/testdata/load/run.sh [PROGRAM [SECONDS]]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../../.." && pwd)
. "$root/.ci/lib.sh"
. "$here/server.sh"
seconds=${2:-20}
limit=512 # GOMEMLIMIT, MiB
work=$(mktemp -d)
trap 'stop; rm -rf "$work"' EXIT
program wrk wrk || exit 0

fovea=${1:-}
if [ -z "$fovea" ]; then
  fovea=$work/fovea
  (cd "$root" && CGO_ENABLED=0 go build -trimpath -o "$fovea" ./cmd/fovea)
fi
# forward adds how many pictures a second the model detects objects in without a server, with the better batch: the best of three
# seconds, as one may be somebody else's. What a machine can do changes from minute to minute, too, so a row of throughput stands between two
# of these and is compared with their mean.
forward() {
  for _ in 1 2 3; do
    "$fovea" bench forward --json --seconds 1 | sed -n "s/.*{\"name\":\"detect, [0-9]* runners*\",\"value\":\([0-9.]*\).*/\1/p"
  done | sort -n | tail -1 >>"$work/forward"
}
photo=$work/photo.jpg
"$fovea" detect "$root/examples/park.png" --threshold 1 --quiet --out "$photo" >/dev/null

# fresh FLAG… starts a server that has been asked before.
fresh() {
  start "$@"
  ask warm 1 3
}
peak() { printf %.0f "$(memory VmHWM)"; }

# used is what the server has used so far: seconds of user and system time, pages that were not there, seconds that its threads waited
# for a processor, and seconds that the machine's processors did nothing.
used() {
  awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); printf "%g %g %g ", $12 / hz, $13 / hz, $8 }' "/proc/$server/stat" 2>/dev/null || printf '0 0 0 '
  cat "/proc/$server"/task/*/schedstat 2>/dev/null | awk '{ s += $2 } END { printf "%g ", s / 1e9 }'
  awk -v hz="$(getconf CLK_TCK)" 'NR == 1 { print $5 / hz }' /proc/stat
}

# ask NAME CLIENTS SECONDS [RATE]
ask() {
  echo 5 >"/proc/$server/clear_refs" # forget the peak of memory so far
  used >"$work/$1.used"
  local TIMEFORMAT='%R %U %S'
  { time wrk -t "$2" -c "$2" -d "$3" --timeout 30 -s "$here/wrk.lua" "$url/v1/detect" -- "$photo" "$work/$1" ${4:+"$4" "$2"} >"$work/$1.wrk"; } 2>"$work/$1.time"
  used >>"$work/$1.used"
}
# shares NAME: what the generator and the server took of the processors, what was left, and, an answer, the server's milliseconds, new
# pages, and milliseconds of waiting for a processor.
shares() {
  cat "$work/$2.time" "$work/$2.used" | awk -v what="$1" -v n="$(count "$2" 200)" -v cores="$(nproc)" '
    NR == 1 { real = $1; wrk = $2 + $3 }
    NR == 2 { u = $1; s = $2; f = $3; w = $4; i = $5 }
    NR == 3 { u = $1 - u; s = $2 - s; f = $3 - f; all = real * cores
      printf "| %s | %.1f %% | %.1f %% | %.1f %% | %.1f | %.1f | %.0f | %.1f |\n", what, 100 * wrk / all, 100 * (u + s) / all, 100 * ($5 - i) / all, 1000 * u / max(n), 1000 * s / max(n), f / max(n), 1000 * ($4 - w) / max(n) }
    function max(n) { return n > 1 ? n : 1 }'
}
# quantile NAME STATUS Q, in milliseconds
quantile() { awk -v s="$2" '$1 == s { print $2 }' "$work/$1" | sort -n | awk -v q="$3" '{ a[NR] = $1 } END { i = int(q * NR + .9999); if (i < 1) i = 1; if (NR) printf "%.1f", a[i] / 1000; else printf "–" }'; }
count() { awk -v s="$2" '$1 == s' "$work/$1" | wc -l; }
row() { printf '| %s | %s | %s | %s | %s | %s | %s | %s MB |\n' "$1" "$(count "$2" 200)" "$(quantile "$2" 200 .5)" "$(quantile "$2" 200 .99)" "$(count "$2" 429)" "$(quantile "$2" 429 .99)" "$(quantile "$2" 429 1)" "$(peak)"; }

# spent is the milliseconds that decoding, the model and the answers have taken so far; asked, the requests.
spent() { for s in decode encode answer; do metric "fovea_stage_seconds_sum{stage=\"$s\"}"; done | awk '{ s += $1 } END { print 1000 * s }'; }
asked() { metric 'fovea_request_seconds_count{surface="native"}'; }

echo "| load | answers | p50 ms | p99 ms | refused | p99 ms | longest ms | memory |"
echo "|---|---|---|---|---|---|---|---|"
fresh
spent0=$(spent) asked0=$(asked)
ask alone 1 "$seconds"
client=$(awk '$1 == 200 { s += $2; n++ } END { print s / n / 1000 }' "$work/alone")
model=$(awk "BEGIN { print ($(spent) - $spent0) / ($(asked) - $asked0) }")
row "one client" alone
forward
ask many 16 "$seconds"
row "16 clients that come back when told" many
forward
ask eager 16 "$seconds" "at once"
row "16 clients that come back at once" eager
forward
fresh --max-wait 10s
ask patient 16 "$seconds"
row "16 clients, --max-wait 10s" patient
forward

rate=$(awk "BEGIN { printf \"%.1f\", $(count many 200) / $seconds }")
fresh
ask once 32 "$((seconds * 3 / 2))" "$rate"
row "1 × capacity, $rate a second" once
fresh
ask ten 64 "$((seconds * 3 / 2))" "$(awk "BEGIN { print 10 * $rate }")"
row "10 × capacity" ten
memory=$(peak)
sleep 1

# SIGTERM in the middle of a flood.
: >"$work/log"
(
  sleep 3
  kill -TERM "$server"
  date +%s.%N >"$work/term"
  while readlink "/proc/$server/exe" >/dev/null; do sleep 0.05; done
  date +%s.%N >"$work/end"
) &
watch=$!
ask drain 64 10 "$(awk "BEGIN { print 10 * $rate }")" || true
wait "$server" || true
wait "$watch"
server=
told=$(grep -c '"msg":"request".*"status":200,.*"surface":"native"' "$work/log" || true)
echo
echo "| load | generator's share | server's share | idle | user ms an answer | system ms | pages | ms without a processor |"
echo "|---|---|---|---|---|---|---|---|"
for load in alone many eager patient once ten; do shares $load $load; done
row_drain="$(count drain 200) answered, $(count drain 429) refused, $(count drain 503) told that the server ends; the server sent $told answers"
echo
echo "SIGTERM: $row_drain, the last $(awk "BEGIN { printf \"%.1f\", $(cat "$work/end") - $(cat "$work/term") }") s after it"
echo
n=0
for load in many eager patient; do
  n=$((n + 1))
  most=$(awk "BEGIN { print $(count $load 200) / $seconds }")
  bare=$(sed -n "$n,$((n + 1))p" "$work/forward" | awk '{ s += $1 } END { print s / NR }')
  promise "throughput of 16 clients, $load / bench forward before and after ($most / $bare)" "$(awk "BEGIN { print $most / $bare }")" '>=' .9
done
promise "the server's own work in a request, ms (client's $client − model and decode $model)" "$(awk "BEGIN { print $client - $model }")" '<' 2
alone=$(quantile alone 200 .99)
for load in ten once; do
  p99=$(quantile $load 200 .99)
  promise "p99 of answers, load $load / alone ($p99 / $alone ms)" "$(awk "BEGIN { print ${p99/–/0} / ${alone/–/1} }")" '<=' 2
done
promise "p99 of refusals at 10 ×, ms" "$(quantile ten 429 .99)" '<' 50
promise "refusals without Retry-After" "$(awk '$1 == 429 && $3 == "no"' "$work/ten" | wc -l)" '==' 0
promise "answers that are neither 200 nor 429 at 10 ×" "$(awk '$1 != 200 && $1 != 429' "$work/ten" | wc -l)" '==' 0
promise "answers on SIGTERM that did not arrive" "$((told - $(count drain 200)))" '==' 0
promise "memory, MB, of a limit of $limit" "$memory" '<=' "$((limit * 11 / 10))"
exit $failed
