const TROUBLES: Readonly<Record<string, string>> = {
  ENOSPC: "its disk is full",
  EDQUOT: "its disk quota is used up",
  EROFS: "its volume is read-only",
  ENOENT: "its folder is gone",
  ENOTDIR: "its folder is gone",
  EACCES: "this user has no permission",
  EPERM: "this user has no permission",
};

/** By word, for anyone who asks: what the file system itself says names a path. */
export function volumeTrouble(cause: unknown): string {
  const code = codeOf(cause);
  return isSystemCode(code) ? `: ${TROUBLES[code] ?? code}` : "";
}

/** Not one of Node's own, as of a thread that could not be started. */
export function isSystemCode(code: unknown): code is string {
  return typeof code === "string" && /^E[A-Z0-9]{2,15}$/.test(code);
}

/** The system's or Node's, of an error that has one. */
export function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
