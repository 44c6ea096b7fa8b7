# Source it: puts the scripts of this folder into $dir with a real browser, $chromium, and the packages of Node that they need,
# installed if need be. When they cannot be had it says so and ends with success.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../../.." && pwd)
. "$root/.ci/lib.sh"
program node nodejs && program npm npm || exit 0
chromium=
for name in chromium chromium-browser google-chrome; do
  chromium=${chromium:-$(command -v "$name" || true)}
done
if [ -z "$chromium" ]; then
  program chromium chromium || exit 0
  chromium=$(command -v chromium)
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cp "$here"/*.mjs "$dir"
cd "$dir"
fetched "playwright-core and axe-core" npm install --no-audit --no-fund playwright-core@1.65.1 axe-core@4.14.1 || exit 0
