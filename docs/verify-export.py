#!/usr/bin/env python3
# python3 verify-export.py FILE MANIFEST KEY.pem: the same as `chancery export verify`, with none of its code.
import base64, hashlib, json, subprocess, sys, tempfile
text, signatures = open(sys.argv[2], encoding="utf-8", newline="").read().rsplit("\n\n", 1)
context, _, manifest = text.partition("\n")
assert context == "chancery-export/v1", "this is no manifest of an export"
def signed_by_key(line):  # "— <host>/export/<log> base64(4 bytes that hint at the key, signature over the text)"
    with tempfile.NamedTemporaryFile() as signature:
        signature.write(base64.b64decode(line.split(" ")[2])[4:]), signature.flush()
        command = ["openssl", "dgst", "-sha256", "-verify", sys.argv[3], "-signature", signature.name]
        return subprocess.run(command, input=f"{text}\n".encode(), capture_output=True).returncode == 0
assert any(signed_by_key(line) for line in signatures.splitlines()), "the manifest is not signed by this key"
told, file = json.loads(manifest), open(sys.argv[1], "rb").read()
assert len(file) == int(told["bytes"]), f"the file has {len(file)} bytes, {told['bytes']} were signed for"
assert hashlib.sha256(file).hexdigest() == told["sha256"], "the file is not the one that was signed for"
lines = file.count(b"\n") - (told["format"] == "csv")
assert lines == int(told["count"]), f"the file has {lines} lines, {told['count']} were signed for"
print(f"{sys.argv[1]}: {told['count']} {told['kind']} as of {told['created']}, signed for")
