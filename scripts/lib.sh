# What scripts/demo, test, check and soak share: progress lines, Debian packages, the virtual environment, Converse.js.
# Sourced by bash with `set -euo pipefail`. What it installs, it installs once; a second run needs neither root nor a network.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=$ROOT/.cache
VENV=$CACHE/venv
CONVERSE=$CACHE/converse
export PYTHONDONTWRITEBYTECODE=${PYTHONDONTWRITEBYTECODE-1}

say() { printf '\033[1m==>\033[0m %s\n' "$*" | if [ -t 1 ]; then cat; else sed $'s/\033\\[[0-9]*m//g'; fi; }
die() { printf 'error: %s\n' "$1" >&2; shift; [ $# -eq 0 ] || printf '       %s\n' "$@" >&2; exit 1; }

# Servers that run as another user have to read what is made here.
umask 022

have() { command -v "$1" >/dev/null 2>&1; }

# The system's administration programs are not on every user's PATH.
PATH=$PATH:/usr/sbin:/sbin

# -- Debian packages --------------------------------------------------------------------------------------------------

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# missing PACKAGE… prints those that are not installed. `one|other` is satisfied by any of them and asks for the first that exists.
missing() {
    local wanted name
    for wanted in "$@"; do
        for name in ${wanted//|/ }; do
            if installed "$name"; then continue 2; fi
        done
        for name in ${wanted//|/ }; do
            if apt-cache show "$name" >/dev/null 2>&1; then break; fi
            name=${wanted%%|*}
        done
        echo "$name"
    done
}

# need_packages PACKAGE… installs what is missing; services that come with it are neither started nor enabled.
need_packages() {
    have dpkg-query || die "this is not Debian or Ubuntu, whose packages these scripts use" "Packages: $*"
    local lacking
    mapfile -t lacking < <(missing "$@")
    [ ${#lacking[@]} -gt 0 ] || return 0
    say "Installing Debian packages: ${lacking[*]}"
    if [ "$(id -u)" = 0 ]; then
        "$ROOT/scripts/install-packages" "${lacking[@]}"
    elif have sudo; then
        sudo -v || die "packages are missing, and sudo does not let you install them. As root:" "apt-get install ${lacking[*]}"
        sudo "$ROOT/scripts/install-packages" "${lacking[@]}"
    else
        die "packages are missing, and you are neither root nor is there sudo. As root:" "apt-get install ${lacking[*]}"
    fi || die "apt-get could not install: ${lacking[*]}" "Its words are above. Supported: Debian 12 and 13, Ubuntu 24.04 and newer."
}

# What is needed before there are a virtual environment and Converse.js, where the machine has no such program of its own.
tool_packages() {
    if [ ! -x "$VENV/bin/python" ] && ! find_python >/dev/null; then printf '%s\n' python3 python3-venv; fi
    if [ ! -e "$CONVERSE" ] && ! have npm; then echo npm; fi
}

# chromium_package prints the package that brings a Chromium, or nothing where there is none to install.
chromium_package() {
    if [ -n "${CHROMIUM:-}" ] || find_chromium >/dev/null; then return; fi
    if [ "$(. /etc/os-release; echo "${ID:-}")" != ubuntu ]; then echo chromium; fi
}

# find_chromium prints the path of a Chromium or Chrome that is no snap (a snap sees neither our directories nor our pipes).
find_chromium() {
    local name path
    for name in "${CHROMIUM:-}" chromium google-chrome-stable google-chrome chromium-browser; do
        [ -n "$name" ] && path=$(command -v "$name") || continue
        case $(readlink -f "$path") in */snap|*/snap/*) continue ;; esac
        if head -c 4000 "$path" | grep -aq /snap/; then continue; fi
        echo "$path"
        return 0
    done
    return 1
}

chromium_advice() {
    echo "Ubuntu's Chromium is a snap, which cannot be driven from here. Install Google Chrome's .deb package"
    echo "(google-chrome-stable), or say where another Chromium is: CHROMIUM=/path/to/chrome scripts/…"
}

# -- who we are -------------------------------------------------------------------------------------------------------

# Under sudo: go on as the user who called, once the packages are there, so that the cache is theirs and nothing else runs as root.
drop_sudo() {
    [ "$(id -u)" = 0 ] && [ "${SUDO_UID:-0}" != 0 ] || return 0
    local name home
    name=$(id -nu "$SUDO_UID")
    home=$(getent passwd "$SUDO_UID" | cut -d: -f6)
    say "The rest runs as $name"
    exec setpriv --reuid="$SUDO_UID" --regid="$SUDO_GID" --init-groups -- \
        env -u SUDO_UID -u SUDO_GID HOME="$home" USER="$name" LOGNAME="$name" "$@"
}

# -- Python -----------------------------------------------------------------------------------------------------------

python_works() { "$1" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

# As root the gateway of the demo runs as nobody, who must be able to start this Python: then the system's own goes first.
find_python() {
    local first=() path
    if [ "$(id -u)" = 0 ]; then first=(/usr/bin/python3); fi
    for path in "${first[@]}" python3 /usr/bin/python3 python3.14 python3.13 python3.12 python3.11; do
        if path=$(command -v "$path") && python_works "$path"; then echo "$path"; return; fi
    done
    return 1
}

stamp() { cat "$@" | sha256sum | cut -d' ' -f1; }

need_cache() {
    if mkdir -p "$CACHE" 2>/dev/null && [ -w "$CACHE" ]; then return; fi
    die "$(id -un) cannot write to $CACHE, where these scripts keep what they install" "If root has made it: chown it, or remove it."
}

# need_venv [EXTRA] makes $VENV with the project, editable, and the extra's packages. Quick when pyproject.toml is as it was.
need_venv() {
    local extra=${1:-} python want
    want=$(stamp "$ROOT/pyproject.toml")
    need_cache
    exec 8>"$CACHE/venv.lock"
    flock 8
    if [ -e "$VENV/made-$want" ] && { [ -z "$extra" ] || [ -e "$VENV/made-$want-$extra" ]; } && "$VENV/bin/python" -c '' 2>/dev/null; then
        exec 8>&-
        return
    fi
    if ! "$VENV/bin/python" -m pip --version >/dev/null 2>&1; then
        python=$(find_python) || die "no Python of 3.11 or newer was found, or it lacks venv" "apt-get install python3 python3-venv"
        say "Making a virtual environment in .cache/venv with $("$python" --version)"
        rm -rf "$VENV"
        "$python" -m venv "$VENV"
    fi
    say "Installing the Python packages (pyproject.toml${extra:+, with those for tests})"
    (cd "$ROOT" && "$VENV/bin/python" -m pip install -qq --disable-pip-version-check --no-input --editable ".${extra:+[$extra]}" 8>&-) ||
        die "pip could not install the project's packages; its words are above" "The first run needs a network."
    rm -f "$VENV"/made-*
    touch "$VENV/made-$want" ${extra:+"$VENV/made-$want-$extra"}
    exec 8>&-
}

# -- Converse.js ------------------------------------------------------------------------------------------------------

# need_converse unpacks the Converse.js that lab/web/converse.pin names ("NAME@VERSION INTEGRITY") into .cache/converse.
# Its package alone, without what npm would install beside it: the part for browsers has all that in itself.
need_converse() {
    local package integrity archive
    read -r package integrity <"$ROOT/lab/web/converse.pin"
    need_cache
    exec 8>"$CACHE/npm.lock"
    flock 8
    if [ "$(cat "$CONVERSE/made" 2>/dev/null)" != "$integrity" ]; then
        have npm || die "there is no npm to fetch Converse.js with" "apt-get install npm"
        say "Fetching $package from npm"
        rm -rf "$CONVERSE"
        mkdir -p "$CONVERSE"
        (cd "$CONVERSE" && npm pack "$package" --ignore-scripts --silent 8>&-) >/dev/null ||
            die "npm could not fetch $package" "The first run needs a network. What npm says: npm pack $package"
        archive=$(echo "$CONVERSE"/*.tgz)
        [ "sha512-$(openssl dgst -sha512 -binary "$archive" | base64 -w0)" = "$integrity" ] ||
            die "what npm fetched as $package is not what lab/web/converse.pin names"
        tar -xzf "$archive" -C "$CONVERSE" --strip-components=1 --no-same-owner package/dist package/LICENSE
        rm "$archive"
        echo "$integrity" >"$CONVERSE/made"
    fi
    exec 8>&-
}
