/** Of each CT log its own: what one passes does not end what another failed. */
export function certificateChecks(log: string) {
  return {
    newLogged: `new certificates in ${log}`,
    newLedgered: `new certificates in the ledger and ${log}`,
    allLogged: `certificates in ${log}`,
    allLedgered: `certificates in the ledger and ${log}`,
  };
}

/** As they were named when there was one CT log. */
export function isUnnamed(check: string): boolean {
  return /^(?:new )?certificates in the (?:CT log|ledger)$/.test(check);
}
