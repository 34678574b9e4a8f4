import { ENTRY_KINDS } from "./entry-kinds.ts";
import { entryLink, entryName } from "./entry-link.ts";
import { namedFilters } from "./named-filters.ts";
import { entry, hint, only, type Reading, search, type Understanding } from "./reading.ts";

/** What follows is matched against expressions that take a square of it at worst. A certificate in PEM is longer. */
const LONGEST = 2_048;
const LONGEST_PEM = 16_384;

/** Takes anything. The first rule that fits is what is searched for. `ownHost` is where these pages are. */
export function understand(input: string, ownHost: string): Understanding {
  const text = bare(input.trim());
  if (text === "") return only(search("everything, the newest first", {}));
  if (text.length > (text.startsWith("-----BEGIN ") ? LONGEST_PEM : LONGEST))
    return only(hint("too much text", "Drop it as a file instead: it is hashed here, and searched by its digest."));
  for (const rule of RULES) {
    const found = rule(text, ownHost);
    if (found !== undefined) return found;
  }
  return { reading: search("a name that begins like this", { sanPrefix: [text] }), others: [subjectName(text)] };
}

/** Without what stands around a name where it is copied from: quotes, `mailto:`, the name before an address. */
function bare(text: string): string {
  if (text.length > LONGEST) return text;
  const [, address] = /^[^<>]*<([^\s<>@]+@[^\s<>@]+)>$/.exec(text) ?? /^mailto:([^?\s]+)(?:\?.*)?$/i.exec(text) ?? [];
  const [, quoted] = /^["'`“‘«<](.*)["'`”’»>]$/s.exec(text) ?? [];
  return address ?? quoted?.trim() ?? text;
}

type Rule = (text: string, ownHost: string) => Understanding | undefined;

const RULES: readonly Rule[] = [
  pem,
  ownPage,
  searchElsewhere,
  entryAddress,
  entryName,
  namedFilters,
  namedDigest,
  imageReference,
  hexadecimal,
  logIndex,
  cutOff,
  fingerprintWithColons,
  email,
  domainOfAddresses,
  glob,
  url,
  otherUri,
  repository,
  domain,
  kind,
];

const DIGEST_LENGTHS: Readonly<Record<number, string>> = { 40: "sha1", 64: "sha256", 96: "sha384", 128: "sha512" };
const DIGEST_HEX: Readonly<Record<string, number>> = { sha1: 40, sha224: 56, sha256: 64, sha384: 96, sha512: 128 };

function pem(text: string): Understanding | undefined {
  if (!text.startsWith("-----BEGIN ")) return undefined;
  const isKey = /^-----BEGIN (PUBLIC KEY|CERTIFICATE)-----/.test(text);
  return only(
    isKey
      ? search("a key or certificate", { key: [text] })
      : hint("PEM", "Only public keys and certificates are searched for. Never paste a private key anywhere."),
  );
}

/** A link to one of these pages leads to it. */
function ownPage(text: string, ownHost: string): Understanding | undefined {
  const parsed = linkOf(text);
  if (parsed?.host !== ownHost) return undefined;
  const { pathname, search: query } = parsed;
  if (!/^\/(?:search|identities|logs|issuance|health|check|keys|sign)(?:\/|$)/.test(pathname)) return undefined;
  return only({ what: "a link to a page of these", goal: { kind: "page", path: `${pathname}${query}` } });
}

/** What a link to a search elsewhere asks for, as search.sigstore.dev has it, can be asked for here. */
function searchElsewhere(text: string, ownHost: string): Understanding | undefined {
  const parsed = linkOf(text);
  if (parsed === null || parsed.pathname !== "/") return undefined;
  const asked = ["hash", "email", "commitSha"].map((name) => parsed.searchParams.get(name)).find((value) => value);
  return asked === undefined || asked === null ? undefined : understand(asked, ownHost);
}

function linkOf(text: string): URL | null {
  return /^https?:\/\//i.test(text) ? URL.parse(text) : null;
}

/** What else a link to an entry may be is the URI that it is. */
function entryAddress(text: string, ownHost: string): Understanding | undefined {
  const parsed = linkOf(text);
  if (parsed === null) return undefined;
  const found = entryLink(parsed, ownHost);
  const address = url(text);
  if (found === undefined || address === undefined) return found;
  return { reading: found.reading, others: [...found.others, address.reading, ...address.others] };
}

function namedDigest(text: string): Understanding | undefined {
  const [, name, hex] = /^(sha(?:1|224|256|384|512))[:-]([0-9a-f]+)(?:…|\.\.\.)?$/i.exec(text) ?? [];
  if (name === undefined || hex === undefined) return undefined;
  const expected = DIGEST_HEX[name.toLowerCase()];
  if (hex.length !== expected) {
    return only(
      hint("a digest, cut off", `A ${name} digest has ${expected} hexadecimal digits; this has ${hex.length}.`),
    );
  }
  return digest(`${name.toLowerCase()}:${hex.toLowerCase()}`);
}

/** `registry.example.com/app@sha256:…`, also behind `docker://` and `oci://`. */
function imageReference(text: string): Understanding | undefined {
  const [, found] =
    /^(?:\w+:\/\/)?[\w.-]+(?::\d+)?(?:\/[\w.-]+)*(?::[\w.-]+)?@(sha(?:256|512):[0-9a-f]+)$/i.exec(text) ?? [];
  if (found !== undefined) {
    const understood = namedDigest(found);
    if (understood === undefined || understood.reading.goal.kind === "hint") return understood;
    const reference = text.replace(/^\w+:\/\//, "");
    const [name = ""] = reference.split("@");
    // A signature of an image is over a text that holds its digest; only sha256 has one that clients write.
    const asImage = search("an image, by its digest", { image: [reference] });
    const others = [...understood.others, subjectName(name)];
    if (!found.toLowerCase().startsWith("sha256:")) return { ...understood, others };
    return { reading: asImage, others: [search("a digest", { digest: [found.toLowerCase()] }), ...others] };
  }
  if (!/^[\w.-]+(?::\d+)?(?:\/[\w.-]+)+:[\w][\w.-]*$/.test(text) || /^https?:/.test(text)) return undefined;
  const words =
    "A tag can be moved, so nothing is signed by it. Ask for the digest: crane digest, or docker buildx imagetools inspect.";
  return {
    reading: hint("an image, by its tag", words),
    others: [
      subjectName(text),
      search("the same without its tag", { subjectName: [text.slice(0, text.lastIndexOf(":"))] }),
    ],
  };
}

function hexadecimal(text: string): Understanding | undefined {
  if (!/^(0x)?[0-9a-f]{24,}$/i.test(text)) return undefined;
  const hex = text.toLowerCase().replace(/^0x/, "");
  if (hex.length === 80) return only(entry("an entry ID of the v1 log", hex, "rekor"));
  const algorithm = DIGEST_LENGTHS[hex.length];
  const serial = hex.length <= 40 ? [certificate(hex)] : [];
  if (algorithm === undefined) {
    const words = `${hex.length} digits are no digest that is known here, and no entry ID (80 or 64).`;
    const [first] = serial;
    return only(first ?? hint("hexadecimal", words));
  }
  const understood = digest(`${algorithm}:${hex}`);
  if (hex.length === 40) {
    const commits = [
      search("a commit that was built", { sourceRepositoryDigest: [hex] }),
      search("a workflow's commit", { githubWorkflowSha: [hex] }),
    ];
    return { ...understood, others: [...serial, ...commits, ...understood.others] };
  }
  if (hex.length !== 64) return understood;
  const others = [entry("an entry ID", hex), search("a key's fingerprint", { key: [hex] }), ...understood.others];
  return { reading: understood.reading, others };
}

function logIndex(text: string): Understanding | undefined {
  const [, log, digits] = /^(?:(rekor-v2|rekor)[\s/#]+|#)?(\d{1,19})$/.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const index = String(BigInt(digits));
  if (log !== undefined) return only(entry(`entry ${index} of ${log}`, index, log === "rekor" ? "rekor" : "rekor-v2"));
  return only(entry(`the log index ${index}`, index));
}

/** Lists show digests and IDs by their first digits, and Git its commits. A number is an index, a word without digits none. */
function cutOff(text: string): Understanding | undefined {
  if (!/^(?=.*\d)[0-9a-f]{7,}(?:…|\.\.\.)?$/i.test(text)) return undefined;
  const words =
    "Only whole ones are found: a SHA-256 digest has 64 hexadecimal digits, an entry ID 80 or 64, a commit 40 or 64.";
  const name = search("a name that begins like this", { sanPrefix: [text] });
  return { reading: hint("perhaps the beginning of a digest or an ID", words), others: [name, subjectName(text)] };
}

/** `3A:7F:…` is how tools print fingerprints, of 32 bytes, and serial numbers, of up to 20. */
function fingerprintWithColons(text: string): Understanding | undefined {
  if (!/^([0-9a-f]{2}:){11,}[0-9a-f]{2}$/i.test(text)) return undefined;
  const hex = text.replaceAll(":", "").toLowerCase();
  if (hex.length <= 40) return only(certificate(hex));
  if (hex.length !== 64) return undefined;
  return {
    reading: search("a key's fingerprint", { key: [hex] }),
    others: [entry("an entry ID", hex), digest(`sha256:${hex}`).reading],
  };
}

function email(text: string): Understanding | undefined {
  if (!/^[^\s@/:*?]+@[^\s@/:*?]+$/.test(text)) return undefined;
  const host = text.slice(text.indexOf("@") + 1);
  return {
    reading: search("an e-mail address", { san: [text] }),
    others: [
      search("a name that begins like this", { sanPrefix: [text] }),
      subjectName(text),
      search(`anyone at ${host}`, { sanDomain: [host] }),
    ],
  };
}

function domainOfAddresses(text: string): Understanding | undefined {
  const [, host] = /^\*?@([a-z0-9.-]+)$/i.exec(text) ?? [];
  return host === undefined ? undefined : only(search("all addresses of a domain", { sanDomain: [host] }));
}

function glob(text: string): Understanding | undefined {
  if (!text.includes("*") && !(text.includes("?") && !/^https?:/.test(text))) return undefined;
  if (/\s/.test(text)) return undefined;
  const start = /^[^*?]*/.exec(text)?.[0] ?? "";
  const isBounded = start.length >= 3 || /[@.][a-z0-9-]+(\.[a-z0-9-]+)+$/i.test(text);
  return only(
    isBounded
      ? search("a pattern of names", { sanGlob: [text] })
      : hint(
          "a pattern of names",
          "It must begin with three plain characters, or end in a domain: https://github.com/acme/*, *@example.com.",
        ),
  );
}

/** A repository, or a workflow in one, which stands in certificates with the ref it ran at. */
function url(text: string): Understanding | undefined {
  const parsed = linkOf(text);
  if (parsed === null) return undefined;
  const exact = search("an identity, exactly this URI", { san: [text] });
  const begins = search("identities that begin with this URI", { sanPrefix: [text] });
  const asIssuer = search("an issuer", { issuer: [text] });
  const asRepository = search("a source repository", { sourceRepositoryUri: [withoutSlash(text)] });
  if (/@refs\/|@[0-9a-f]{40}$/.test(text) || /\/\.(github|gitlab|forgejo|gitea)\//.test(text)) {
    const build = [
      search("build instructions", { buildSignerUri: [text] }),
      search("a build configuration", { buildConfigUri: [text] }),
    ];
    return {
      reading: text.includes("@") ? exact : begins,
      others: [text.includes("@") ? begins : exact, ...build],
    };
  }
  const segments = parsed.pathname.split("/").filter((segment) => segment !== "");
  if (segments.length === 0) {
    return {
      reading: asIssuer,
      others: [search(`identities at ${parsed.hostname}`, { sanDomain: [parsed.hostname] }), exact, subjectName(text)],
    };
  }
  const more = [
    search("a workflow run", { runInvocationUri: [text] }),
    search("a repository's owner", { sourceRepositoryOwnerUri: [withoutSlash(text)] }),
    subjectName(text),
  ];
  if (segments.length === 2) return { reading: asRepository, others: [begins, asIssuer, exact, ...more] };
  return { reading: exact, others: [begins, asRepository, asIssuer, ...more] };
}

function otherUri(text: string): Understanding | undefined {
  if (!/^[a-z][a-z0-9+.-]*:\/\/\S+$/i.test(text)) return undefined;
  return {
    reading: search("an identity, exactly this URI", { san: [text] }),
    others: [search("identities that begin with this URI", { sanPrefix: [text] })],
  };
}

/** `acme/app` or `github.com/acme/app`. */
function repository(text: string): Understanding | undefined {
  if (/^[\w-]+(\.[\w-]+)+(:\d+)?(\/[\w.-]+){2,}\/?$/.test(text)) {
    const uri = `https://${withoutSlash(text)}`;
    return {
      reading: search("a source repository", { sourceRepositoryUri: [uri] }),
      others: [
        search("identities that begin with this URI", { sanPrefix: [uri] }),
        subjectName(withoutSlash(text)),
        search("an issuer", { issuer: [uri] }),
      ],
    };
  }
  if (!/^[\w.-]+\/[\w.-]+$/.test(text)) return undefined;
  return {
    reading: search("a repository's name", { githubWorkflowRepository: [text] }),
    others: [
      search("a repository on github.com", { sourceRepositoryUri: [`https://github.com/${text}`] }),
      subjectName(text),
      search("an issuer", { issuer: [`https://${text}`] }),
    ],
  };
}

function domain(text: string): Understanding | undefined {
  if (!/^(?=.*[a-z])[a-z0-9-]+(\.[a-z0-9-]+)+$/i.test(text)) return undefined;
  return {
    reading: search("all identities of a domain", { sanDomain: [text] }),
    others: [search("an issuer", { issuer: [`https://${text}`] }), subjectName(text)],
  };
}

function kind(text: string): Understanding | undefined {
  const name = text.toLowerCase();
  if (!ENTRY_KINDS.includes(name)) return undefined;
  const begins = search("a name that begins like this", { sanPrefix: [text] });
  return { reading: search("a kind of entry", { kind: [name] }), others: [begins, subjectName(text)] };
}

/**
 * A SHA-256 digest may be an image's, of which clients log the digest of a text that has it inside. Asked for as an
 * image's it finds all that the plain digest does.
 */
function digest(value: string): Understanding {
  const subject = search("a digest that an attestation is about", { subjectDigest: [value] });
  if (!value.startsWith("sha256:")) return { reading: search("a digest", { digest: [value] }), others: [subject] };
  const misses = `Is it an image's? What cosign 2 signed of an image is found by its name as well, and only so: repository@sha256:…`;
  return { reading: { ...search("a digest", { image: [value] }), misses }, others: [subject] };
}

/** RFC 5280, Section 4.1.2.2: at most 20 bytes. Fulcio's are written whole. */
function certificate(hex: string): Reading {
  return { what: "a certificate's serial number", goal: { kind: "certificate", serial: hex.padStart(40, "0") } };
}

function subjectName(text: string): Reading {
  return search("what an attestation is about, by its name", { subjectName: [text] });
}

function withoutSlash(text: string): string {
  return text.replace(/\/$/, "");
}
