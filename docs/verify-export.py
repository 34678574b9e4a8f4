#!/usr/bin/env python3
# python3 verify-export.py FILE MANIFEST KEY.pem…: `chancery export verify` without its code; Python ≥ 3.11, openssl 3
# One key for each log that the manifest names, in its order: of entries rekor.pub rekor-v2.pub, of all else ctfe.pub.
# A signature's first four bytes are a hint at its key. CSV has a line of headings.

import base64, hashlib, json, re, subprocess, sys, tempfile
file, manifest, *keys = sys.argv[1:]
text, body, notes = re.fullmatch(rb"(chancery-export/v1\n(.*}\n))\n(.*)", open(manifest, "rb").read(), re.S).groups()
(signed := tempfile.NamedTemporaryFile(buffering=0)).write(text)
told, run = json.loads(body), f"openssl pkeyutl -verify -rawin -pubin -in {signed.name} -sigfile /dev/stdin -inkey"
for log, line, key in zip(told["logs"], notes.decode().splitlines(), keys, strict=True):
    subprocess.run([*run.split(), key], input=base64.b64decode(line.split(f"/export/{log['log']} ")[1])[4:], check=True)
lines, sha256 = sum(1 for _ in open(file, "rb")), hashlib.file_digest(open(file, "rb"), "sha256").hexdigest()
holds = (lines - (told["format"] == "csv"), sha256) == (int(told["count"]), told["sha256"])
print(f"{file}: {told['count']} {told['kind']}, signed for" if holds else sys.exit(f"{file}: not what was signed for"))
