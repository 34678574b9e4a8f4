/** The one issuer of development mode: our own identity provider, at the origin that everything shares. */
export function developmentIssuer(url: string): string {
  return `${url}/idp`;
}
