#!/usr/bin/env python3
"""The checks of this folder catch what they are for: each is shown a small tree that breaks its rule."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import layers
import readme
import sizes
import table
import traces
import wakes


class Tree(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.write("libipc/src/base/base.hpp", "#pragma once\n#include <string>\n")

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    def assert_finds(self, module, *texts):
        found = module.check(self.root)
        self.assertEqual(len(found), len(texts), found)
        for line, text in zip(found, texts):
            self.assertIn(text, line)


class Wakes(Tree):
    def test_a_blocking_call_without_a_row_and_a_row_without_a_call_are_found(self):
        self.write("libipc/include/muster/gate.hpp",
                   "bool pass_for(std::chrono::duration<Rep, Period> timeout);\n"
                   "bool put_for(const T& value, std::chrono::duration<Rep, Period> timeout);\n"
                   "bool store_for(K key, V value);\n")
        self.write("tests/wakes/matrix.hpp", '{"gate.hpp", "pass_for", Primitive::gate},\n'
                                             '{"gate.hpp", "close_for", Primitive::gate},\n')
        self.assert_finds(wakes, "gate.hpp: put_for blocks", "gate.hpp has no close_for")


class Layers(Tree):
    def test_a_layer_may_use_those_above_it_in_the_table(self):
        self.write("libipc/src/heap/heap.cpp", '#include "heap/extent.hpp"\n#include "tx/tx.hpp"\n#include "base/base.hpp"\n')
        self.assert_finds(layers)

    def test_a_layer_may_not_use_those_below_it(self):
        self.write("libipc/src/tx/tx.cpp", '#include "heap/heap.hpp"\n')
        self.assert_finds(layers, "tx may not include heap")

    def test_another_layer_is_entered_by_its_one_header(self):
        self.write("libipc/src/heap/heap.cpp", '#include "tx/undo_log.hpp"\n#include "base/unique_fd.hpp"\n')
        self.assert_finds(layers, "not the layer's one header")

    def test_a_layer_below_the_handles_uses_no_handle(self):
        self.write("libipc/src/sync/lock.cpp", "#include <muster/dict.hpp>\n")
        self.assert_finds(layers, "the public muster/dict.hpp")

    def test_an_unknown_layer_is_reported(self):
        self.write("libipc/src/misc/x.hpp", "#pragma once\n")
        self.assert_finds(layers, "not in the layer table")

    def test_public_headers_show_neither_boost_nor_the_insides(self):
        self.write("libipc/include/muster/detail/aggregate.hpp", "#include <boost/pfr.hpp>\n")
        self.assert_finds(layers)
        self.write("libipc/include/muster/dict.hpp", '#include <boost/pfr.hpp>\n#include "tx/tx.hpp"\n')
        self.assert_finds(layers, "shows boost/pfr.hpp", "shows tx/tx.hpp")

    def test_libraries_stay_where_they_belong(self):
        self.write("libipc/src/base/log.cpp", "#include <spdlog/spdlog.h>\n#include <boost/asio.hpp>\n")
        self.write("ctl/main.cpp", "#include <CLI/CLI.hpp>\n#include <toml++/toml.h>\n")
        self.write("daemon/main.cpp", "#include <spdlog/spdlog.h>\n#include <CLI/CLI.hpp>\n#include <boost/asio/io_context.hpp>\n")
        self.assert_finds(layers, "spdlog is for daemon", "boost/asio is for daemon", "toml++ is for daemon")

    def test_the_programs_stay_out_of_the_segment(self):
        self.write("daemon/service/x.cpp", '#include "session/realm.hpp"\n#include "containers/containers.hpp"\n')
        self.assert_finds(layers, "daemon may not include containers")


class Table(Tree):
    def test_a_named_test_and_a_promised_section_must_be_there(self):
        sections = "".join(f"## {heading}\n" for heading in table.HEADINGS)
        self.write("tests/unit/x.cpp", 'TEST_CASE("a pipe is "\n    "whole") {}\n')
        self.write("tests/README.md", sections + '| whole | x: "a pipe is whole", "a pipe…" |\n')
        self.assert_finds(table)
        self.write("tests/README.md", sections.replace("## Pipe\n", "") + '| whole | x: "a pipe is gone" |\n')
        self.assert_finds(table, "no section Pipe", "a pipe is gone")


class Sizes(Tree):
    def test_a_long_file_needs_a_word_in_a_design_page(self):
        self.write("ctl/long.cpp", "\n" * 401)
        self.assert_finds(sizes, "ctl/long.cpp: 401 lines")
        self.write("daemon/DESIGN.md", "long.cpp is a table.\n")
        self.assert_finds(sizes)


class Readme(Tree):
    def test_a_code_block_is_the_file_it_says(self):
        self.write("libipc/examples/first.cpp", "int main() {}\n")
        self.write("README.md", "<!-- same as libipc/examples/first.cpp -->\n```cpp\nint main() {}\n```\n")
        self.assert_finds(readme)
        self.write("README.md", "<!-- same as libipc/examples/first.cpp -->\n```cpp\nint main() { }\n```\n")
        self.assert_finds(readme, "not the same as libipc/examples/first.cpp")

    def test_links_and_paths_are_there(self):
        self.write("README.md", "[base](libipc/src/base/base.hpp), `libipc/examples/<name>`, [out](https://a.example/)\n")
        self.assert_finds(readme)
        self.write("README.md", "See [this](LICENSE) and run `scripts/no-such`.\n")
        self.assert_finds(readme, "links to LICENSE", "speaks of scripts/no-such")

    def test_commands_are_known_to_the_programs(self):
        self.write("bin/musterd", "#!/bin/sh\necho --address --user\n")
        self.write("bin/musterctl", '#!/bin/sh\ncase "$1 $2" in "ps --help" | "dict set" | "dict --help") ;; *) exit 2 ;; esac\n')
        for program in ("musterd", "musterctl"):
            (self.root / "bin" / program).chmod(0o755)
        self.write("README.md", "```\n$ musterctl ps --all\nmusterctl dict set a b 1\nmusterd --user\n```\n")
        self.assertEqual(readme.check(self.root, self.root / "bin"), [])
        self.write("README.md", "```\nmusterctl top\nmusterctl dict turn a\n$ musterd --usr &\n```\n")
        self.assertEqual(len(readme.check(self.root, self.root / "bin")), 3)


class Traces(unittest.TestCase):
    def setUp(self):
        self.base = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.base)
        self.folder = f"{self.base}/t"
        traces.begin(self.folder)

    def left(self):
        return traces.end(self.folder, f"{self.base}/bin", patience=0)

    def assert_finds_process(self, text, command, environment):
        child = subprocess.Popen(command, env=environment)
        try:
            limit = time.monotonic() + 10  # just after exec the kernel shows no environment yet
            while not any(text(child.pid) in line for line in traces.processes(self.folder, f"{self.base}/bin")):
                self.assertLess(time.monotonic(), limit)
        finally:
            child.kill()
            child.wait()
        self.assertEqual(traces.processes(self.folder, f"{self.base}/bin"), [])

    def test_nothing_left_is_fine_and_the_folder_goes(self):
        self.assertEqual(self.left(), [])
        self.assertFalse(os.path.exists(self.folder))

    def test_a_socket_is_found(self):
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(f"{self.folder}/run/muster.sock")
        self.assertEqual(self.left(), [f"file {self.folder}/run/muster.sock"])

    def test_a_process_started_by_a_test_is_found_by_its_environment(self):
        self.assert_finds_process(
            lambda pid: f"process {pid} ", ["sleep", "60"],
            {"MUSTER_ADDRESS": f"unix:{self.folder}/s", "PATH": os.environ["PATH"]})

    def test_a_process_that_runs_a_program_of_ours_is_found(self):
        os.mkdir(f"{self.base}/bin")
        shutil.copy(shutil.which("sleep"), f"{self.base}/bin/musterd")
        self.assert_finds_process(
            lambda pid: f"process {pid} runs {self.base}/bin/musterd", [f"{self.base}/bin/musterd", "60"], {})


if __name__ == "__main__":
    unittest.main()
