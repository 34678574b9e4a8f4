export const CHECKS = {
  newLogged: "new certificates in the CT log",
  newLedgered: "new certificates in the ledger",
  allLogged: "certificates in the CT log",
  allLedgered: "certificates in the ledger",
};
/** Listed before they are made for the first time. */
export const CERTIFICATE_CHECKS: readonly string[] = Object.values(CHECKS);
