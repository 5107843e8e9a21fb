#!/bin/bash
# Brings what building, demo and tests need, and only what is missing:
#
#   deps.sh build      compilers and libraries (Debian packages)
#   deps.sh fuzz       what build needs, and clang and its fuzzer
#   deps.sh readers    what build needs, and python packages, the independent readers
#   deps.sh demo       what readers needs, and MySQL 9, unpacked beside the system
#   deps.sh check      what all of these need, both MariaDBs, the tools of the lints, and the stores,
#                      catalogs and engines of the lake on AWS (Trino only with CALVE_TEST_TRINO=1)
#   deps.sh python     prints the python that has the readers
#
# Nothing here installs, starts or stops a service. Downloads go to ${XDG_CACHE_HOME:-~/.cache}/calve;
# a second run fetches nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

cache=${XDG_CACHE_HOME:-$HOME/.cache}/calve

build_packages=(
    build-essential cmake ninja-build pkg-config
    libmariadb-dev libssl-dev libjansson-dev libyaml-dev libsqlite3-dev libzstd-dev libdeflate-dev
    libxxhash-dev libcurl4-openssl-dev libexpat1-dev libcmocka-dev
)
reader_packages=(python3 python3-venv ca-certificates)
server_packages=(debian-archive-keyring dpkg)
fuzz_packages=(clang libclang-rt-14-dev llvm ccache)
service_packages=(openjdk-17-jre-headless maven)
lint_packages=(git clang-format clang-tidy cppcheck pmccabe)

say() { echo "deps: $*" >&2; }

# Tries a command some times: networks fail.
retry() {
    local n
    for n in 1 2 3 4; do
        if "$@"; then
            return 0
        fi
        if [ "$n" -lt 4 ]; then
            say "$1 failed; again in $((n * 5)) s"
            sleep $((n * 5))
        fi
    done
    return 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    elif command -v sudo > /dev/null; then
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    else
        say "not root, and there is no sudo. As root: $*"
        return 1
    fi
}

installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2> /dev/null)" = installed ]
}

install_packages() {
    local missing=() p
    if ! command -v dpkg-query > /dev/null; then
        say "no Debian: see to it yourself that there is what these packages hold: $*"
        return 0
    fi
    for p in "$@"; do
        installed "$p" || missing+=("$p")
    done
    if [ ${#missing[@]} -eq 0 ]; then
        return 0
    fi
    say "installing ${missing[*]}"
    retry as_root apt-get -qq -oAcquire::Retries=3 update
    retry as_root apt-get -qq -y -oAcquire::Retries=3 -oDpkg::Use-Pty=0 --no-install-recommends \
        install "${missing[@]}" > /dev/null
}

# One for each list of packages, so that two checkouts do not take turns in making one anew.
venv_folder() {
    echo "$cache/venv-$( (sha256sum < tests/e2e/requirements.txt; /usr/bin/python3 --version) |
        sha256sum | cut -c 1-12)"
}

make_venv() {
    local venv
    venv=$(venv_folder)
    mkdir -p "$cache"
    exec 9> "$cache/venv.lock"
    flock 9
    if [ ! -e "$venv/.complete" ]; then
        say "installing python packages into $venv"
        rm -rf "$venv"
        /usr/bin/python3 -m venv "$venv"
        retry "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --retries 5 \
            -r tests/e2e/requirements.txt
        touch "$venv/.complete"
    fi
    exec 9>&-
}

case ${1:-} in
build)
    install_packages "${build_packages[@]}"
    ;;
fuzz)
    install_packages "${build_packages[@]}" "${fuzz_packages[@]}"
    ;;
readers)
    install_packages "${build_packages[@]}" "${reader_packages[@]}"
    make_venv
    ;;
demo)
    install_packages "${build_packages[@]}" "${reader_packages[@]}" "${server_packages[@]}"
    make_venv
    /usr/bin/python3 tools/servers.py fetch mysql-9 > /dev/null
    ;;
check)
    install_packages "${build_packages[@]}" "${reader_packages[@]}" "${server_packages[@]}" \
        "${fuzz_packages[@]}" "${lint_packages[@]}" "${service_packages[@]}"
    make_venv
    /usr/bin/python3 tools/servers.py fetch > /dev/null
    "$(venv_folder)/bin/python" tools/services.py fetch
    if [ "${CALVE_TEST_TRINO:-}" = 1 ]; then
        "$(venv_folder)/bin/python" tools/services.py fetch trino
    fi
    ;;
python)
    echo "$(venv_folder)/bin/python"
    ;;
*)
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2
    exit 2
    ;;
esac
