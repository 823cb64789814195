#!/bin/sh
# make_venv.sh FOLDER: create a virtual environment with pip. PYTHON names the interpreter; default: the first that fits.
set -eu
folder=$1

for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "${python:-}" ]; then
    echo "No Python >= 3.11 was found${PYTHON:+ as $PYTHON}. Install one, or name it: make demo PYTHON=/path/to/python3" >&2
    exit 1
fi

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then  # Debian and Ubuntu ship these apart
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Python $version lacks its venv module: installing python$version-venv." >&2
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "python$version-venv" >&2
    else
        echo "Python $version lacks its venv module. Install it (Debian, Ubuntu: sudo apt install python$version-venv)," >&2
        echo "or name another interpreter: make demo PYTHON=/path/to/python3" >&2
        exit 1
    fi
fi

# A folder left half-made would look finished to make.
trap 'rm -rf "$folder"; exit 130' INT TERM
"$python" -m venv "$folder" || { rm -rf "$folder"; echo "$folder could not be created with $python." >&2; exit 1; }
