#!/usr/bin/env bash
# Installs the local network into a folder: install.sh FOLDER
# Prints one line before every step that takes time. Prints the Node to use as its last line.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
into=$1
mkdir -p "$into"
# Downloads of prebuilt programs and of browsers are neither needed nor always allowed.
export npm_config_fund=false npm_config_audit=false npm_config_update_notifier=false npm_config_loglevel=error
quietly() {
    if ! "$@" >"$into/install.log" 2>&1; then
        echo "failed: $* (the last lines of $into/install.log follow)" >&2
        tail -n 25 "$into/install.log" >&2
        exit 1
    fi
}
cp "$here/package.json" "$here/package-lock.json" "$into/"
node=$(command -v node)
if [ "$("$node" -p 'process.versions.node.split(".")[0]')" -lt 22 ]; then
    echo "step: fetching Node 22, because this machine's Node is $("$node" --version) (some seconds)"
    mkdir -p "$into/runtime"
    cp "$here/runtime/package.json" "$here/runtime/package-lock.json" "$into/runtime/"
    (cd "$into/runtime" && quietly npm ci --ignore-scripts)
    node=$(ls "$into"/runtime/node_modules/node-*/bin/node 2>/dev/null | head -n 1)
    if [ -z "$node" ]; then
        echo "there is no packaged Node 22 for this system; install Node 22 or newer" >&2
        exit 1
    fi
    export PATH="$(dirname "$node"):$PATH"
    # The headers that compiled modules need come with the package.
    export npm_config_nodedir; npm_config_nodedir=$(dirname "$(dirname "$node")")
fi
echo "step: fetching the packages of the network (about a minute, 480 MB)"
(cd "$into" && quietly npm ci --ignore-scripts)
echo "step: compiling its database driver (about a minute)"
(cd "$into" && npm_config_build_from_source=true quietly npm rebuild better-sqlite3)
echo "node: $node"
