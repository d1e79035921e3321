"""Compares the items of other crates in a public API with a list: foreign-types.py RUSTDOC_JSON LIST

A type or trait of another crate in the public API ties our versions to that crate's: its next breaking version is one of
ours. So every such item is in the list, by a decision. `--write` as a third argument writes the list anew.
"""

import json
import sys

STANDARD = {"alloc", "core", "std", "proc_macro"}
# Made by derives; nobody names them.
IGNORED = {"serde_core::private", "serde::__private"}


def references(node):
    """Yields the ids of all items that a part of an item's signature names."""
    if isinstance(node, list):
        for part in node:
            yield from references(part)
    elif isinstance(node, dict):
        # Types (`resolved_path`) and traits (bounds, implementations) share the shape: a path with an id.
        if isinstance(node.get("id"), int) and ("path" in node or "name" in node):
            yield node["id"]
        for part in node.values():
            yield from references(part)


def children(kind, inner):
    """Yields the ids of items inside of an item that are public if it is."""
    match kind:
        case "module":
            yield from inner["items"]
        case "use":
            if inner["id"] is not None:
                yield inner["id"]
        case "struct":
            match inner["kind"]:
                case {"plain": {"fields": fields}}:
                    yield from fields
                case {"tuple": fields}:
                    yield from (field for field in fields if field is not None)
            yield from inner["impls"]
        case "enum":
            yield from inner["variants"]
            yield from inner["impls"]
        case "union":
            yield from inner["fields"]
            yield from inner["impls"]
        case "variant":
            match inner["kind"]:
                case {"struct": {"fields": fields}}:
                    yield from fields
                case {"tuple": fields}:
                    yield from (field for field in fields if field is not None)
        case "trait" | "impl":
            yield from inner["items"]


def foreign_items(crate):
    """Maps each foreign item that the public API names to one place where it does."""
    index, paths = crate["index"], crate["paths"]
    names = {0: "atproto_sdk"} | {int(key): value["name"] for key, value in crate["external_crates"].items()}
    found, seen, waiting = {}, set(), [(crate["root"], "atproto_sdk")]
    while waiting:
        id_, place = waiting.pop()
        item = index.get(str(id_))
        if item is None or id_ in seen or item["crate_id"] != 0:
            if item is None and str(id_) in paths:
                note(found, names, paths, id_, place)
            continue
        seen.add(id_)
        # Hidden items are left out by rustdoc already; private ones can still be reached through `use`.
        (kind, inner), = item["inner"].items()
        if kind == "impl" and (inner["is_synthetic"] or inner["blanket_impl"] is not None):
            continue
        here = f"{place}::{item['name']}" if item["name"] and id_ != crate["root"] else place
        inside = list(children(kind, inner))
        skipped = {"items", "impls", "variants", "fields", "implementations"}
        signature = {key: value for key, value in inner.items() if key not in skipped} if isinstance(inner, dict) else inner
        for named in references(signature):
            note(found, names, paths, named, here)
        waiting.extend((child, here) for child in inside)
    return found


def note(found, names, paths, id_, place):
    summary = paths.get(str(id_))
    if summary is None or summary["crate_id"] == 0 or names[summary["crate_id"]] in STANDARD:
        return
    path = "::".join(summary["path"])
    if not any(path.startswith(ignored) for ignored in IGNORED):
        found[path] = min(found.get(path, place), place)


def main(description, listed, *options):
    with open(description, encoding="utf-8") as file:
        found = foreign_items(json.load(file))
    if options == ("--write",):
        with open(listed, "w", encoding="utf-8") as file:
            file.writelines(f"{path}\n" for path in sorted(found))
        return 0
    with open(listed, encoding="utf-8") as file:
        allowed = {line.split("#")[0].strip() for line in file} - {""}
    for path in sorted(found.keys() - allowed):
        print(f"{path} is new in the public API, in {found[path]}: avoid it, or add it to {listed}")
    for path in sorted(allowed - found.keys()):
        print(f"{path} is no longer in the public API: take it out of {listed}")
    print(f"{len(found)} items of other crates in the public API")
    return 0 if found.keys() == allowed else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
