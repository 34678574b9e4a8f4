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
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  // Of the system's own codes alone.
  if (typeof code !== "string" || !/^E[A-Z0-9]{2,15}$/.test(code)) return "";
  return `: ${TROUBLES[code] ?? code}`;
}
