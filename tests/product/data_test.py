"""`wattle data` against servers that break off, lie, hang and send too much; on the loopback, over HTTP and real TLS."""

import fcntl
import gzip
import hashlib
import json
import os
import shutil
import signal
import ssl
import struct
import subprocess
import unittest

from misbehaving_server import CONTENT, HALF, Server
from product import BIN, WATTLE, Product, wait_for


class Data(Product):
    def setUp(self):
        super().setUp()
        variables = {k: v for k, v in os.environ.items() if k not in ("WATTLE_DATA", "SSL_CERT_FILE")}
        self.environment = {"env": {**variables, "no_proxy": "*"}}
        self.place = self.folder / "data/bytes/all.bin"
        self.part = self.folder / "data/bytes/all.bin.part"

    def data(self, *arguments, code=0, **options):
        return self.wattle("data", "--catalog", "lab.toml", *arguments, code=code, **{**self.environment, **options})

    def data_json(self, *arguments, **options):
        return json.loads(self.data("--json", *arguments, **options)[0])

    def catalog(self, content=CONTENT, name="all.bin", extra="", digest=None):
        digest = digest or f'sha256 = "{hashlib.sha256(content).hexdigest()}"'
        return self.write("lab.toml", f'[bytes]\n{extra}\n[[bytes.file]]\nname = "{name}"\nsize = {len(content)}\n{digest}\n')

    def served(self, *script, content=CONTENT):
        """A server of all.bin, and a catalog of what all.bin must be."""
        self.catalog()
        server = Server(self)
        server.serves("all.bin", content)
        server.script = list(script)
        return server

    def fetch(self, server, *arguments, code=0):
        out, err = self.data("fetch", "bytes", "--from", server.url, *arguments, code=code)
        if code == 0:
            self.assertEqual(self.place.read_bytes(), CONTENT)
            self.assertFalse(self.part.exists())
        return out, err


class Transfers(Data):
    def test_a_set_is_fetched_once_and_then_it_is_there(self):
        server = self.served()
        self.assertIn("fetched", self.fetch(server)[0])
        self.assertIn("there", self.fetch(server)[0])
        self.assertEqual(server.asked, [("/all.bin", None)])

    def test_a_cut_transfer_goes_on_within_one_command(self):
        server = self.served("cut", "cut")
        self.fetch(server)
        self.assertEqual(server.ranges(), [None, f"bytes={HALF}-", f"bytes={HALF + HALF // 2}-"])

    def test_a_later_command_goes_on_from_what_an_earlier_one_left(self):
        server = self.served("cut", "gone")
        _, err = self.fetch(server, code=3)
        self.assertIn(f"{HALF} of {len(CONTENT)} bytes are in ", err)
        self.assertFalse(self.place.exists())
        self.assertEqual(self.part.read_bytes(), CONTENT[:HALF])
        result = self.data_json("fetch", "bytes", "--from", server.url)["sets"][0]["files"][0]
        self.assertEqual((result["resumed_from_bytes"], result["received_bytes"]), (HALF, len(CONTENT) - HALF))
        self.assertEqual(self.place.read_bytes(), CONTENT)

    def test_a_server_that_ignores_the_range_begins_again(self):
        server = self.served("cut", "whole")
        self.fetch(server)
        self.assertEqual(len(server.asked), 2)

    def test_a_range_that_cannot_be_had_begins_again(self):
        server = self.served("cut", "no_range")
        self.fetch(server)
        self.assertEqual(server.ranges(), [None, f"bytes={HALF}-", None])

    def test_another_range_than_asked_for_is_refused(self):
        server = self.served("cut", "other_range")
        _, err = self.fetch(server, code=1)
        self.assertIn("another part", err)
        self.assertEqual(self.part.read_bytes(), CONTENT[:HALF])

    def test_a_part_of_something_else_is_found_out_and_fetched_anew(self):
        server = self.served()
        self.part.parent.mkdir(parents=True)
        self.part.write_bytes(b"x" * 1000)
        self.fetch(server)
        self.assertEqual(server.ranges(), ["bytes=1000-", None])

    def test_parts_that_are_complete_or_too_long(self):
        server = self.served()
        self.part.parent.mkdir(parents=True)
        self.part.write_bytes(CONTENT)
        self.fetch(server)
        self.assertEqual(server.asked, [])
        self.place.unlink()
        self.part.write_bytes(CONTENT + b"more")
        self.fetch(server)
        self.assertEqual(server.ranges(), [None])

    def test_a_wrong_file_that_is_there_is_replaced(self):
        server = self.served()
        self.place.parent.mkdir(parents=True)
        self.place.write_bytes(b"old")
        self.fetch(server)

    def test_a_server_that_never_stops_breaking_is_given_up(self):
        server = self.served(*["cut"] * 40)
        self.fetch(server, code=3)
        self.assertEqual(len(server.asked), 10)


class Refusals(Data):
    def test_other_bytes_than_published_leave_nothing(self):
        other = CONTENT[:-1] + b"!"
        server = self.served(content=other)
        _, err = self.fetch(server, code=1)
        self.assertIn(f"expected sha256 {hashlib.sha256(CONTENT).hexdigest()}, got {hashlib.sha256(other).hexdigest()}", err)
        self.assertEqual(list(self.place.parent.iterdir()), [])

    def test_another_length_than_published_is_refused_before_it_comes(self):
        server = self.served(content=CONTENT + b"more")
        _, err = self.fetch(server, code=1)
        self.assertIn(f"has {len(CONTENT) + 4} bytes there, where {len(CONTENT)} are expected", err)
        self.assertEqual(list(self.place.parent.iterdir()), [])

    def test_a_server_that_sends_without_end_is_stopped_at_the_declared_size(self):
        server = self.served("without_end")
        _, err = self.fetch(server, code=1)
        self.assertIn(f"sends more than the {len(CONTENT)} bytes", err)
        self.assertEqual(list(self.place.parent.iterdir()), [])

    def test_what_is_not_there_is_an_answer(self):
        server = self.served()
        server.content.clear()
        self.assertIn("HTTP status 404", self.fetch(server, code=1)[1])

    def test_a_server_that_hangs_is_given_up(self):
        server = self.served("hang")
        self.assertIn("all.bin: " + server.url, self.fetch(server, "--timeout", "1s", code=3)[1])
        server.script = ["half_and_hang", "hang"]
        self.fetch(server, "--timeout", "1s", code=3)
        self.assertEqual(self.part.read_bytes(), CONTENT[:HALF])

    def test_nobody_listens(self):
        server = self.served()
        server.server.shutdown()
        server.server.server_close()
        self.fetch(server, code=3)
        self.assertEqual(list(self.place.parent.iterdir()), [])

    def test_redirects_lead_to_https_only(self):
        server = self.served("elsewhere")
        self.assertIn("redirects to an address that is not https://", self.fetch(server, code=1)[1])
        self.assertEqual(len(server.asked), 1)

    def test_a_folder_that_cannot_be_written(self):
        server = self.served()
        (self.folder / "file").write_text("")
        self.data("fetch", "bytes", "--from", server.url, "--into", "file", code=3)

    def test_a_full_disk_keeps_the_part(self):
        disk = self.mounted("128k")
        server = self.served()
        _, err = self.data("fetch", "bytes", "--from", server.url, "--into", disk, code=3)
        self.assertIn("No space left", err)
        self.assertGreater((disk / "bytes/all.bin.part").stat().st_size, 0)

    def test_two_at_a_time_do_not_mix(self):
        server = self.served()
        self.part.parent.mkdir(parents=True)
        with self.part.open("wb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            self.assertIn("being written by another program", self.fetch(server, code=3)[1])
        self.assertEqual(server.asked, [])

    def test_a_link_in_the_place_of_a_part_is_not_followed(self):
        server = self.served()
        victim = self.write("victim", "mine\n")
        self.part.parent.mkdir(parents=True)
        self.part.symlink_to(victim)
        self.fetch(server, code=3)
        self.assertEqual(victim.read_text(), "mine\n")
        victim.unlink()
        self.fetch(server, code=3)
        self.assertFalse(victim.exists())

    def test_control_c_keeps_the_part_and_says_how_to_go_on(self):
        server = self.served("half_and_hang")
        process = self.start("data", "--catalog", "lab.toml", "fetch", "bytes", "--from", server.url, **self.environment)
        self.assertTrue(wait_for(lambda: self.part.exists() and self.part.stat().st_size == HALF))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, err)
        self.assertIn("the same command goes on from there", err)
        self.fetch(server)
        self.assertEqual(server.ranges(), [None, f"bytes={HALF}-"])


class Tls(Data):
    def setUp(self):
        super().setUp()
        if not shutil.which("openssl"):
            self.skipTest("needs the program openssl to make a certificate")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "cert.pem"],
                       cwd=self.folder, check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "cert.pem", self.folder / "key.pem")
        self.server = Server(self, tls=context)
        self.server.serves("all.bin")
        self.trusting = {"env": {**self.environment["env"], "SSL_CERT_FILE": str(self.folder / "cert.pem")}}

    def catalog_of(self, *urls):
        digest = hashlib.sha256(CONTENT).hexdigest()
        self.catalog(digest=f'sha256 = "{digest}"\nurl = {json.dumps(urls)}')

    def test_https_needs_an_authority_that_is_trusted(self):
        self.catalog_of(self.server.url + "/all.bin")
        self.assertIn("certificate", self.data("fetch", "bytes", code=3)[1])
        self.assertEqual(self.server.asked, [])
        self.data("fetch", "bytes", **self.trusting)
        self.assertEqual(self.place.read_bytes(), CONTENT)

    def test_a_mirror_is_asked_where_the_first_address_fails_and_goes_on_with_the_part(self):
        self.server.script = ["cut", "gone"]
        self.catalog_of(self.server.url + "/all.bin", self.server.url + "/all.bin?mirror")
        self.server.content["/all.bin?mirror"] = CONTENT
        self.data("fetch", "bytes", **self.trusting)
        self.assertEqual(self.server.asked[-1], ("/all.bin?mirror", f"bytes={HALF}-"))
        self.assertEqual(self.place.read_bytes(), CONTENT)

    def test_a_redirect_to_https_is_followed(self):
        self.catalog()
        first = Server(self)
        first.serves("all.bin", b"")
        first.script = ["elsewhere"]
        first.location = self.server.url
        self.data("fetch", "bytes", "--from", first.url, **self.trusting)
        self.assertEqual(self.place.read_bytes(), CONTENT)


class Catalogs(Data):
    def test_names_that_leave_their_folder_are_refused(self):
        for name in ("../x", "/x", "a/b", "..", ".", "", ".x", "-x", "x.part", "a\\u0000b", "a" * 101):
            with self.subTest(name):
                self.catalog(name=name)
                self.assertIn("lab.toml:", self.data("list", code=2)[1])
        for name in ('"../x"', '"a/b"', '".x"', '"-x"', "mnist"):
            with self.subTest(name):
                self.write("lab.toml", f'[{name}]\n[[{name}.file]]\nname = "x"\nsize = 1\nmd5 = "{"0" * 32}"\n')
                self.data("list", code=2)
        self.catalog(extra='below = "../.."')
        self.data("list", code=2)

    def test_mistakes_are_told_with_their_line(self):
        digest = "0" * 64
        for text, told in {
            "[a]\n[[a.file]]\nnmae = 'x'": "lab.toml:3:8: unknown key `nmae`",
            "[a]\n[[a.file]]\nname = 'x'\nsize = 0": "lab.toml:4:8: a file needs its size",
            "[a]\n[[a.file]]\nname = 'x'\nsize = 1": "either sha256 or md5",
            "[a]\n[[a.file]]\nname = 'x'\nsize = 1\nsha256 = 'abc'": "lab.toml:5:10: `sha256` has 64 hexadecimal digits",
            f"[a]\n[[a.file]]\nname = 'x'\nsize = 1\nsha256 = '{digest}'\nurl = 'http://x/'": "is no https:// address",
            f"[a]\n[[a.file]]\nname = 'x'\nsize = 1\nsha256 = '{digest}'\nurl = 'file:///etc/passwd'": "is no https://",
            "[a]": "a set needs a file",
            "a = 1": "stands outside of a set",
            "[a": "not TOML",
        }.items():
            with self.subTest(text):
                self.write("lab.toml", text + "\n")
                self.assertIn(told, self.data("list", code=2)[1])

    def test_md5_is_a_digest_too(self):
        server = self.served()
        self.catalog(digest=f'md5 = "{hashlib.md5(CONTENT).hexdigest().upper()}"')
        self.fetch(server)
        self.place.write_bytes(CONTENT[:-1] + b"!")
        self.assertIn("expected md5", self.data("verify", "bytes", code=1)[0])

    def test_a_set_without_addresses_needs_one(self):
        self.catalog()
        self.assertIn("name one by --from", self.data("fetch", "bytes", code=2)[1])
        self.data("fetch", "bytes", "--from", "ftp://x", code=2)
        self.data("fetch", "bytes", "--timeout", "0s", code=2)

    def test_an_unknown_set_is_told_with_the_nearest_name(self):
        self.catalog()
        self.assertIn("did you mean `fashion-mnist`?", self.data("fetch", "fashon-mnist", code=2)[1])


class Lists(Data):
    def test_every_known_set_says_where_its_digests_are_from_and_that_its_urls_are_untried(self):
        listed = self.json("data", "list", **self.environment)["sets"]
        self.assertEqual([s["name"] for s in listed], ["mnist", "fashion-mnist", "cifar10", "cifar100", "imagenette"])
        for one in listed:
            self.assertFalse(one["urls_tried"])
            self.assertRegex(one["source"], r"[0-9a-f]{12}: \S+/\S+")
            self.assertEqual(one["bytes"], sum(f["bytes"] for f in one["files"]))
            for file in one["files"]:
                self.assertRegex(file["sha256"], r"^[0-9a-f]{64}$")
                self.assertTrue(file["urls"])
                for url in file["urls"]:
                    self.assertTrue(url.startswith("https://") and url.endswith("/" + file["name"]), url)
        text = self.wattle("data", "list", **self.environment)[0]
        self.assertEqual(text.count("  untried  "), len(listed))

    def test_the_list_says_what_is_here_and_the_environment_names_the_folder(self):
        server = self.served("cut", "gone")
        self.assertEqual(self.data_json("list")["sets"][-1]["here"], "no")
        self.fetch(server, code=3)
        self.assertEqual(self.data_json("list")["sets"][-1]["here"], "in_part")
        self.fetch(server)
        self.assertIn("data/bytes", self.data("list")[0])
        elsewhere = {**self.environment["env"], "WATTLE_DATA": "other"}
        self.data("fetch", "bytes", "--from", server.url, env=elsewhere)
        self.assertEqual((self.folder / "other/bytes/all.bin").read_bytes(), CONTENT)

    def test_verify_tells_right_missing_and_wrong(self):
        server = self.served()
        self.data("verify", code=2)
        self.assertIn("missing", self.data("verify", "bytes", code=1)[0])
        self.fetch(server)
        self.assertTrue(self.data_json("verify")["right"])
        for named in ("bytes", "data/bytes", "data/bytes/", "data"):
            self.assertRegex(self.data("verify", named)[0], r"^ok +\S*data/bytes/+all.bin\n$")
        self.place.write_bytes(CONTENT[:-1] + b"!")
        out, _ = self.data("verify", "bytes", code=1)
        self.assertIn(f"wrong       data/bytes/all.bin  expected sha256 {hashlib.sha256(CONTENT).hexdigest()}, got ", out)
        self.place.write_bytes(b"short")
        self.assertIn(f"expected {len(CONTENT)} bytes, got 5", self.data("verify", "bytes", code=1)[0])
        moved = self.place.parent.rename(self.folder / "moved")
        self.data("verify", "moved", code=2)
        self.data("verify", "moved", "--as", "bytes", code=1)

    def test_starting_does_not_load_what_fetches(self):
        traced = subprocess.run([WATTLE], env={"LD_TRACE_LOADED_OBJECTS": "1"}, capture_output=True, text=True, check=True)
        self.assertIn("libstdc++", traced.stdout)
        self.assertNotIn("curl", traced.stdout)
        self.assertNotIn("libssl", traced.stdout)


class Training(Data):
    def test_what_was_fetched_is_what_the_trainer_reads(self):
        if not (BIN / "wattle-train").exists():
            self.skipTest("wattle-train is not built")
        files, server = {}, Server(self)
        for prefix, count in (("train", 200), ("t10k", 40)):
            pixels = bytes((i // 784 % 2) * 200 for i in range(count * 784))
            files[f"{prefix}-images-idx3-ubyte.gz"] = struct.pack(">IIII", 0x803, count, 28, 28) + pixels
            files[f"{prefix}-labels-idx1-ubyte.gz"] = struct.pack(">II", 0x801, count) + bytes(i % 2 for i in range(count))
        lines = ["[digits]", 'dataset = "idx"']
        for name, content in files.items():
            packed = gzip.compress(content)
            server.serves(name, packed)
            lines += ["[[digits.file]]", f'name = "{name}"', f"size = {len(packed)}",
                      f'sha256 = "{hashlib.sha256(packed).hexdigest()}"']
        self.write("lab.toml", "\n".join(lines) + "\n")
        command = self.data_json("fetch", "digits", "--from", server.url)["sets"][0]["next"][-1].split()
        self.assertEqual(command, ["wattle-train", "--dataset", "idx", "--data", "data/digits"])
        trained = subprocess.run([BIN / "wattle-train", *command[1:], "--epochs", "1"], cwd=self.folder,
                                 capture_output=True, text=True)
        self.assertEqual(trained.returncode, 0, trained.stderr)


if __name__ == "__main__":
    unittest.main()
