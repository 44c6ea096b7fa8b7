#!/usr/bin/env bash
# Asks a server for everything that it can, about twice a second and for an hour, rightly and wrongly, and looks whether it grows: good
# requests to all surfaces, pictures that are new and pictures that are remembered, pictures that are none, wrong JSON, bodies that
# do not end, clients that go, streams that nobody reads to the end, and now and then more at once than are let in.
# After each round of all that it asks it lets the server rest, prints the memory and the goroutines, and goes on. Ends with 1 when a promise is not kept:
#   the slopes of resident memory and of the heap < 1 MB an hour, over what follows the first sixth of the time,
#   goroutines the same as after the warm-up, no panic, and every request answered as it should be.
# Both are those of a server which has rested (rest.go), after its two collections. In between they breathe by far more, up to
# GOMEMLIMIT: what was resident just before the rest is printed, too. The profile of the heap is not asked for, as writing it takes memory for each
# place in the program that has ever been seen to allocate, and these become more: it was that growth that was measured. What is remembered of a picture
# depends on what was asked about it, so samples are taken where the rounds are alike: just before the crowd that ends each.
#   internal/serve/testdata/load/soak.sh [PROGRAM [MINUTES [SAMPLES]]]   SAMPLES: a file for a line of figures each round
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../../.." && pwd)
. "$root/.ci/lib.sh"
. "$here/server.sh"
minutes=${2:-60}
limit=512 # GOMEMLIMIT, MiB
pause=.35 # s between two requests
rest=12 # s, of which the server rests after ten
work=$(mktemp -d)
samples=${3:-$work/samples}
trap 'stop; rm -rf "$work"' EXIT
program curl curl || exit 0

fovea=${1:-}
if [ -z "$fovea" ]; then
  fovea=$work/fovea
  (cd "$root" && CGO_ENABLED=0 go build -trimpath -o "$fovea" ./cmd/fovea)
fi
photo=$work/photo.jpg
"$fovea" detect "$root/examples/park.png" --threshold 1 --quiet --out "$photo" >/dev/null

# Bodies that stay the same.
once=$work/once
mkdir "$once"
head -c 3000 "$photo" >"$once/truncated"
: >"$once/empty"
echo "no picture" >"$once/text"
printf '{"image": "!!!"}' >"$once/base64"
printf '{"image": ' >"$once/json"
picture=$(base64 -w0 "$photo")
printf '{"images": [%s]}' "$(printf '"AAAA",%.0s' {1..16})\"AAAA\"" >"$once/seventeen"
printf '{"id": "1", "inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": ["%s"]}, {"name": "task", "datatype": "BYTES", "shape": [1], "data": ["pose"]}]}' "$picture" >"$once/oip"
# A call of gRPC is a frame: a byte, a length of four, and a message of protocol buffers.
bytes() { for n; do printf '%b' "\\x$(printf %02x "$n")"; done; }
varint() { local n=$1; while ((n > 127)); do bytes $((n % 128 + 128)); n=$((n / 128)); done; bytes "$n"; }
field() { varint $(($1 * 8 + 2)); varint "$(stat -c %s "$2")"; cat "$2"; } # NUMBER FILE
frame() { local n; n=$(stat -c %s "$1"); bytes 0 $((n >> 24)) $((n >> 16 & 255)) $((n >> 8 & 255)) $((n & 255)); cat "$1"; }
printf nano >"$work/name"; printf image >"$work/input"; printf BYTES >"$work/type"; bytes 1 >"$work/shape"
n=$(stat -c %s "$photo")
{ bytes $((n & 255)) $((n >> 8 & 255)) $((n >> 16 & 255)) $((n >> 24)); cat "$photo"; } >"$work/raw"
{ field 1 "$work/input"; field 2 "$work/type"; field 3 "$work/shape"; } >"$work/tensor"
{ field 1 "$work/name"; field 5 "$work/tensor"; field 7 "$work/raw"; } >"$work/infer"
frame "$work/infer" >"$once/grpc"
frame "$once/empty" >"$once/grpc_empty"
frame "$work/name" >"$once/grpc_wrong"

wrong=0 sent=0 turns=0
round=46 # turns
# ask STATUS ARGUMENT… sends a request with curl; STATUS is a pattern of what it should be answered with, 000: with nothing.
ask() {
  local want=$1 got
  shift
  got=$(curl -s -o /dev/null -w '%{http_code}' --max-time 300 "$@") || true
  sent=$((sent + 1))
  [[ $got =~ ^($want)$ ]] || { echo "answered $got, want $want: ${*:0:6}"; wrong=$((wrong + 1)); }
}
# fresh and coded are a picture that was not there before, as it is and as text.
fresh() { { cat "$photo"; echo "$turns"; } >"$work/fresh"; echo "@$work/fresh"; }
coded() { { cat "$photo"; echo "$turns"; } | base64 -w0; }
# body TEXT TEXT is a JSON document of two parts with a new picture between them.
body() { printf '%s%s%s' "$1" "$(coded)" "$2" >"$work/body"; echo "@$work/body"; }
json=(-H 'Content-Type: application/json')
grpc=(--http2-prior-knowledge -H 'Content-Type: application/grpc' -H 'TE: trailers')
message='{"model": "nano", "messages": [{"role": "user", "content": [{"type": "text", "text": "how many people are there?"}, {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,'
service=inference.GRPCInferenceService

# turn does the next of the requests.
turn() {
  case $((turns % round)) in
  0) ask 200 "$url/v1/detect?query=person,ring" --data-binary "$(fresh)" ;;
  1) ask 200 "$url/v1/segment?polygons=true" --data-binary "$(fresh)" ;;
  2) ask 200 "$url/v1/pose" --data-binary "$(fresh)" ;;
  3) ask 200 "$url/v1/classify?top=3" --data-binary "$(fresh)" ;;
  4) ask 200 "$url/v1/ask?question=how+many+people+are+there" --data-binary "$(fresh)" ;;
  5) ask 200 "$url/v1/ask" -F "image=$(fresh)" -F "questions=what is it?" -F stream=true ;;
  6) ask 200 "$url/v1/caption" "${json[@]}" --data-binary "$(body '{"image": "' '"}')" ;;
  7) ask 200 "$url/v1/embed?text=a+ring" --data-binary "@$photo" ;;
  8) ask 200 "$url/v1/look" --data-binary "$(fresh)" ;;
  9) ask 200 "$url/v1/explain?task=ask&question=what+is+it" --data-binary "$(fresh)" ;;
  10) ask 200 "$url/v1/chat/completions" "${json[@]}" --data-binary "$(body "$message" '"}}]}]}')" ;;
  11) ask 200 "$url/v1/chat/completions" "${json[@]}" --data-binary "$(body "$message" '"}}]}], "stream": true}')" ;;
  12) ask 200 "$url/v1/chat/completions" "${json[@]}" --data-binary "$(body "$message" '"}}]}], "response_format": {"type": "json_object"}}')" ;;
  13) ask 200 "$url/v1/embeddings" "${json[@]}" -d '{"model": "nano", "input": ["a ring", "a person"]}' ;;
  14) ask 200 "$url/api/chat" --data-binary "$(body '{"model": "nano", "messages": [{"role": "user", "content": "describe it", "images": ["' '"]}]}')" ;;
  15) ask 200 "$url/api/generate" --data-binary "$(body '{"model": "nano", "prompt": "what is it?", "stream": false, "images": ["' '"]}')" ;;
  16) ask 200 "$url/v1/query" --data-binary "$(body '{"question": "what is it?", "stream": true, "image_url": "data:image/jpeg;base64,' '"}')" ;;
  17) ask 200 "$url/v1/point" --data-binary "$(body '{"object": "person", "image_url": "data:image/jpeg;base64,' '"}')" ;;
  18) ask 200 "$url/v2/models/nano/infer" --data-binary "@$once/oip" ;;
  19) ask 200 "$url/$service/ModelInfer" "${grpc[@]}" --data-binary "@$once/grpc" ;;
  20) ask 200 "$url/$service/ServerLive" "${grpc[@]}" --data-binary "@$once/grpc_empty" ;;
  21) ask 200 "$url/infer/instance_segmentation" --data-binary "$(body '{"model_id": "nano", "image": {"type": "base64", "value": "' '"}}')" ;;
  22) ask 200 "$url/" -H 'Accept: text/html' ;;
  23) ask 200 "$url/openapi.yaml" ;;
  24) ask 200 "$url/v1/models" ;;
  25) ask 200 "$url/api/show" -d '{"model": "nano"}' ;;
  26) ask 400 "$url/v1/detect" --data-binary "@$once/truncated" ;;
  27) ask 400 "$url/v1/detect" --data-binary "@$once/text" -H 'Content-Type: image/png' ;;
  28) ask 400 "$url/v1/detect" --data-binary "@$once/empty" ;;
  29) ask 400 "$url/v1/ask" "${json[@]}" --data-binary "@$once/base64" ;;
  30) ask 400 "$url/v1/chat/completions" --data-binary "@$once/json" ;;
  31) ask 400 "$url/v1/caption" "${json[@]}" --data-binary "@$once/seventeen" ;;
  32) ask 400 "$url/v1/detect?threshold=1e999" --data-binary "@$photo" ;;
  33) ask 404 "$url/api/generate" -d '{"model": "nothing", "prompt": "?"}' ;;
  34) ask 404 "$url/v1/nothing" -d x ;;
  35) ask 405 "$url/v1/detect" -X DELETE ;;
  36) ask 413 "$url/v1/detect" -H 'Content-Length: 99999999' --data-binary "@$once/text" ;;
  37) ask 200 "$url/$service/ModelInfer" "${grpc[@]}" --data-binary "@$once/grpc_wrong" ;;
  38) ask '000|200' "$url/v1/pose" --data-binary "$(fresh)" --max-time .03 ;;
  39) ask '000|200' "$url/v1/look" --data-binary "$(fresh)" --max-time .1 ;;
  40) ask 200 "$url/v1/classify" --data-binary "$(fresh)" --limit-rate 60k ;;
  41) cut "POST /v1/detect HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999\r\n\r\nhalf" ;;
  42) cut "POST /v1/detect HTTP/1.1\r\nHost: loc" ;;
  43) cut "GET / HTTP/2.0\r\n\r\n\0\1\2" ;;
  44) { curl -s -N "$url/v1/caption?stream=true" --data-binary "$(fresh)" | head -c 9 >/dev/null; } || true; sent=$((sent + 1)) ;;
  45) crowd ;;
  esac
  turns=$((turns + 1))
}
# cut sends the beginning of a request and goes.
cut() {
  exec 4<>"/dev/tcp/${host%:*}/${host##*:}" && printf "$1" >&4 || true
  exec 4>&-
  sent=$((sent + 1))
}
# crowd sends more requests at once than are let in.
crowd() {
  local k jobs=()
  for ((k = 0; k < 40; k++)); do
    { cat "$photo"; echo "$turns.$k"; } | curl -s -o /dev/null --max-time 300 "$url/v1/detect" --data-binary @- &
    jobs+=($!)
  done
  wait "${jobs[@]}" || true
  sent=$((sent + 40))
}

# sample is the minutes so far, resident memory and that of it that is no file's, the heap (MB), goroutines, requests, answers of 429, and
# what was resident before the rest.
sample() {
  local busy rss anon
  busy=$(memory VmRSS)
  sleep "$rest"
  rss=$(memory VmRSS) anon=$(memory RssAnon)
  get /metrics >"$work/metrics"
  awk -v at="$(awk "BEGIN { print ($(date +%s.%N) - $begun) / 60 }")" -v rss="$rss" -v anon="$anon" -v sent="$sent" -v busy="$busy" '
    $1 == "go_memstats_heap_alloc_bytes" { heap = $2 / 1048576 }
    $1 == "go_goroutines" { go = $2 }
    /^fovea_requests_total.*status="429"/ { refused += $2 }
    END { printf "%.2f %s %s %.2f %d %d %d %s\n", at, rss, anon, heap, go, sent, refused, busy }' "$work/metrics" | tee -a "$samples"
}
# slope COLUMN is an hour's, the median of those between any two of the samples that follow the warm-up (Theil 1950, Sen 1968): a sample at
# which something else was remembered, or the machine was busy, does not move it. spread, their least and most.
slope() {
  settled | awk -v c="$1" '{ x[NR] = $1 / 60; y[NR] = $c } END { for (i = 1; i < NR; i++) for (j = i + 1; j <= NR; j++) print (y[j] - y[i]) / (x[j] - x[i]) }' |
    sort -g | awk '{ a[NR] = $1 } END { if (NR > 2) printf "%.2f", (a[int((NR + 1) / 2)] + a[int(NR / 2) + 1]) / 2; else printf "–" }'
}
spread() { settled | awk -v c="$1" 'NR == 1 { a = b = $c } { if ($c < a) a = $c; if ($c > b) b = $c } END { printf "%s – %s", a, b }'; }
settled() { awk -v m="$minutes" '$1 >= m / 6' "$samples"; }

start
: >"$samples"
begun=$(date +%s.%N)
echo "minutes, resident, anonymous, heap MB, goroutines, requests, refused, resident before the rest"
while awk "BEGIN { exit !($(date +%s.%N) < $begun + 60 * $minutes) }"; do
  until ((turns % round == round - 1)); do
    turn
    sleep "$pause"
  done
  sample
  turn
done
echo
echo "$sent requests; after the warm-up: resident $(spread 2) MB, before the rests $(spread 8) MB, heap $(spread 4) MB, goroutines $(spread 5)"
echo
promise "slope of resident memory, MB an hour" "$(slope 2)" '<' 1
promise "slope of the heap, MB an hour" "$(slope 4)" '<' 1
promise "slope of goroutines, an hour" "$(slope 5)" '<' 1
promise "panics" "$(metric fovea_panics_total)" '==' 0
promise "requests answered otherwise than they should be" "$wrong" '==' 0
exit $failed
