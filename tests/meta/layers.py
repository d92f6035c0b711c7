#!/usr/bin/env python3
"""Includes follow the layer table.

libipc/src/<layer>/ may include, of the other layers, only those above it in the table, each through its one header
`layer/layer.hpp`. `base` knows no shared memory and may be used header by header; a layer's second face, as
session/realm.hpp is, is named in FACES. Beside the tower stand `codec`
(values to bytes: no shared memory) and `process` (children: no shared objects); on top of it `pool`, of public parts.
The public headers show no Boost but
in detail/aggregate.hpp, and nothing of src/. spdlog, Asio and toml++ are the daemon's, CLI11 the programs'.
"""

import tree

TOWER = ["base", "segment", "tx", "heap", "containers", "sync", "session", "handles"]
MAY = {layer: set(TOWER[:i]) for i, layer in enumerate(TOWER)}
MAY["codec"] = {"base"}
MAY["process"] = {"base", "codec", "session"}
MAY["handles"] |= {"codec", "process"}
MAY["pool"] = {"base"}  # and what is public: it is made of queues and processes as a user's program could be
# What programs that link the library's insides may use; tests may use all.
MAY["daemon"] = {"base", "codec", "session"}
MAY["ctl"] = {"base", "codec", "session"}
LAYERS = set(TOWER) | {"codec", "process", "pool"}
# Headers that are meant for others though they are not named as their layer is.
FACES = {"session/realm.hpp", "session/address.hpp", "session/control.hpp", "session/connection.hpp", "session/erase.hpp",
         "segment/bytes.hpp", "segment/hash.hpp"}
# Below the handles only these public headers may be used: what they declare knows nothing of handles.
LOW_PUBLIC = {"muster/error.hpp", "muster/detail/timeout.hpp"}


def where(path, root, line):
    return f"{path.relative_to(root)}:{line}"


def check_layer(root, path, own):
    """A file of `own` (a layer, "daemon" or "ctl") against the table."""
    found = []
    for line, _, target in tree.includes(path):
        layer = target.split("/")[0]
        if layer == "muster" and own in TOWER[:-1] and target not in LOW_PUBLIC and "/detail/" not in target:
            found.append(f"{where(path, root, line)}: the layer {own} includes the public {target}")
        if layer not in LAYERS or layer == own or "/" not in target:
            continue
        if layer not in MAY[own]:
            found.append(f"{where(path, root, line)}: {own} may not include {layer} ({target})")
        elif layer != "base" and target != f"{layer}/{layer}.hpp" and target not in FACES:
            found.append(f"{where(path, root, line)}: {target} is not the layer's one header, {layer}/{layer}.hpp")
    return found


def check_public(root, path):
    found = []
    aggregate = path.match("detail/aggregate.hpp")
    for line, _, target in tree.includes(path):
        if target.startswith("boost/") and not aggregate:
            found.append(f"{where(path, root, line)}: a public header shows {target}")
        if target.split("/")[0] in LAYERS or "src/" in target or target.startswith(".."):
            found.append(f"{where(path, root, line)}: a public header shows {target} of src/")
    return found


OWNERS = {"spdlog": {"daemon"}, "toml++": {"daemon"}, "boost/asio": {"daemon"}, "CLI": {"daemon", "ctl"}}


def check_libraries(root, path, part):
    found = []
    for line, _, target in tree.includes(path):
        for library, parts in OWNERS.items():
            if (target.startswith((library + "/", library + "."))) and part not in parts:
                found.append(f"{where(path, root, line)}: {library} is for {' and '.join(sorted(parts))} alone")
    return found


def check(root):
    found = []
    source = root / "libipc/src"
    if not any(tree.code_files(root, "libipc/src")):
        found.append("libipc/src holds no code: the wrong directory?")
    for path in tree.code_files(root, "libipc/src"):
        layer = path.relative_to(source).parts[0]
        if layer in LAYERS:
            found += check_layer(root, path, layer)
        else:
            found.append(f"{path.relative_to(root)}: {layer} is not in the layer table")
        found += check_libraries(root, path, "libipc")
    for path in tree.code_files(root, "libipc/include"):
        found += check_public(root, path) + check_libraries(root, path, "libipc")
    for part in ("daemon", "ctl"):
        for path in tree.code_files(root, part):
            found += check_layer(root, path, part) + check_libraries(root, path, part)
    for path in tree.code_files(root, "libipc/examples"):
        found += check_public(root, path)  # what a user can write, and no more
    return found


if __name__ == "__main__":
    tree.run(check)
