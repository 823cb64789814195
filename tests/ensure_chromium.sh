#!/bin/sh
# ensure_chromium.sh PYTHON: print the path of a Chromium that works, installing one if need be.
# Order: $CHROMIUM, one of the system, Playwright's, Debian's (as root). All messages go to stderr.
set -eu
python=${1:-python3}

works() {  # not only there: on Ubuntu, chromium-browser may be a stub that wants a snap
    [ -n "$1" ] && [ -x "$1" ] &&
        timeout 60 "$1" --headless --no-sandbox --disable-gpu --dump-dom 'data:text/html,<p>works</p>' 2>/dev/null |
        grep -q works
}

found() {
    echo "Browser tests use $1" >&2
    echo "$1"
    exit 0
}

try_system() {
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        path=$(command -v "$name") || continue
        if works "$path"; then found "$path"; fi
    done
}

if [ -n "${CHROMIUM:-}" ]; then
    if works "$CHROMIUM"; then found "$CHROMIUM"; fi
    echo "CHROMIUM=$CHROMIUM does not start: looking for another one." >&2
fi
try_system

playwrights() {
    "$python" -c 'from playwright.sync_api import sync_playwright as p
with p() as q: print(q.chromium.executable_path)' 2>/dev/null || true
}
path=$(playwrights)
if works "$path"; then found "$path"; fi
echo "No Chromium on this machine: installing Playwright's." >&2
if timeout 600 "$python" -m playwright install chromium >&2; then
    path=$(playwrights)
    if works "$path"; then found "$path"; fi
fi

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Playwright's Chromium does not run here: installing Debian's." >&2
    apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >&2
    try_system
fi

echo "No Chromium could be found or installed. Install one (Debian: sudo apt install chromium), or set CHROMIUM." >&2
exit 1
