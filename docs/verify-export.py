#!/usr/bin/env python3
# python3 verify-export.py FILE MANIFEST KEY.pem: `chancery export verify` with none of its code. Python ≥ 3.11, openssl.
import base64, hashlib, json, os, subprocess, sys, tempfile
file, manifest, key = sys.argv[1:4]
text, signatures = open(manifest, encoding="utf-8", newline="").read().rsplit("\n\n", 1)
context, _, body = text.partition("\n")
told, found = json.loads(body), hashlib.file_digest(open(file, "rb"), "sha256").hexdigest()
def is_signed(line):  # "— <host>/export/<log> <base64: four bytes that hint at the key, then its signature over the text>"
    with tempfile.NamedTemporaryFile() as signature:
        signature.write(base64.b64decode(line.split(" ")[2])[4:]), signature.flush()
        verify = ["openssl", "dgst", "-sha256", "-verify", key, "-signature", signature.name]
        return subprocess.run(verify, input=f"{text}\n".encode(), capture_output=True).returncode == 0
if context != "chancery-export/v1" or not any(map(is_signed, signatures.splitlines())):
    sys.exit("the manifest is not signed by this key")
if os.path.getsize(file) != int(told["bytes"]) or found != told["sha256"]:
    sys.exit(f"the file is not the one that was signed for: {told['bytes']} bytes, SHA-256 {told['sha256']}")
print(f"{file}: {told['count']} {told['kind']} as of {told['created']}, signed for")
