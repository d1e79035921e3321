#!/usr/bin/env bash
# Installs the local network into a folder: install.sh FOLDER
# Prints a line `step: ...` before everything that takes time, and the Node to use as its last line.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
into=$1
mkdir -p "$into/driver" "$into/runtime"
# Downloads of prebuilt programs and of browsers are neither needed nor always allowed.
export npm_config_fund=false npm_config_audit=false npm_config_update_notifier=false npm_config_loglevel=error
export npm_config_prefer_offline=true
quietly() {
    local log="$into/$1.log"
    shift
    if ! "$@" >"$log" 2>&1; then
        echo "failed: $* (the last lines of $log follow)" >&2
        tail -n 25 "$log" >&2
        return 1
    fi
}
cp "$here/package.json" "$here/package-lock.json" "$into/"
cp "$here/driver/package.json" "$here/driver/package-lock.json" "$into/driver/"
cp "$here/runtime/package.json" "$here/runtime/package-lock.json" "$into/runtime/"
node=$(command -v node)
if [ "$("$node" -p 'process.versions.node.split(".")[0]')" -lt 22 ]; then
    echo "step: fetching Node 22, because this machine's Node is $("$node" --version) (some seconds)"
    (cd "$into/runtime" && quietly runtime npm ci --ignore-scripts)
    node=$(ls "$into"/runtime/node_modules/node-*/bin/node 2>/dev/null | head -n 1)
    if [ -z "$node" ]; then
        echo "there is no packaged Node 22 for this system; install Node 22 or newer" >&2
        exit 1
    fi
    export PATH="$(dirname "$node"):$PATH"
    # The headers that compiled modules need come with the package.
    export npm_config_nodedir; npm_config_nodedir=$(dirname "$(dirname "$node")")
fi

echo "step: fetching the network's packages (480 MB) and compiling its database driver meanwhile (about a minute)"
# Less optimization than usual: it compiles in half of the time, and the network of a test does not feel it.
compile_driver() {
    cd "$into/driver"
    quietly driver npm ci --ignore-scripts
    CFLAGS=-O1 CXXFLAGS=-O1 JOBS=2 npm_config_build_from_source=true quietly driver npm rebuild better-sqlite3
}
set -m # A process group of its own, which is ended as a whole when the rest fails.
compile_driver &
driver=$!
set +m
trap 'kill -- "-$driver" 2>/dev/null || true' EXIT
(cd "$into" && quietly packages npm ci --ignore-scripts)
wait "$driver"
trap - EXIT

# The compiled file belongs to the version that it was compiled from.
package=node_modules/better-sqlite3
version() { "$node" -p 'require(process.argv[1]).version' "$1/$package/package.json"; }
if [ "$(version "$into")" != "$(version "$into/driver")" ]; then
    echo "driver/package.json has another better-sqlite3 than package-lock.json ($(version "$into"))" >&2
    exit 1
fi
mkdir -p "$into/$package/build/Release"
cp "$into/driver/$package/build/Release/better_sqlite3.node" "$into/$package/build/Release/"
echo "node: $node"
