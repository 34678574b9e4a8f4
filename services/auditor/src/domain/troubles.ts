/** What can be wrong, each with what it means and what to do: an alarm is read by someone who was asleep a minute ago. */
export type Trouble = keyof typeof TROUBLES;

export type Severity = "critical" | "warning";

interface Explanation {
  readonly severity: Severity;
  readonly meaning: string;
  readonly remedy: string;
}

export function isTrouble(name: string): name is Trouble {
  return Object.hasOwn(TROUBLES, name);
}

const KEEP =
  "Keep the evidence and a copy of the database, the anchor and the auditor's folder before anything is changed";
const HOW = 'README, "When something is wrong", says how';

export const TROUBLES = {
  unreachable: {
    severity: "warning",
    meaning: "What cannot be read cannot be audited: until it is back, nothing new is known of this log.",
    remedy: "See whether the service runs (/readyz says why it does not) and whether this machine can reach it.",
  },
  "out-of-service": {
    severity: "critical",
    meaning:
      "The server is there and says itself that it does not serve: its own checks stopped it, or its database is gone. Nothing can be signed or logged, and nothing can be audited.",
    remedy:
      'Its /readyz says why, and what to do; the README, "When something is wrong", says how. If it names the anchor or an older database: do not delete either to get it going.',
  },
  "bad-signature": {
    severity: "critical",
    meaning:
      "What was served as a checkpoint is not signed by the key that this log is known by: another server answers under its name, the key was exchanged, or the bytes were changed on their way.",
    remedy: `Compare the key's fingerprint with the installation's. ${KEEP}; if the key was exchanged without a new log, treat the log as forked.`,
  },
  fork: {
    severity: "critical",
    meaning:
      "The log has signed two histories that cannot both be true. Some client was, or can be, shown entries that others never see; no promise of this log holds any more.",
    remedy: `Freeze the log, which stays readable (\`npm run chancery -- freeze --log NAME --for-ever\`). ${KEEP}. Find out who had the key and the database; then start a new log with a new key: ${HOW}.`,
  },
  "split-view": {
    severity: "critical",
    meaning:
      "Seen from another place the log, or the trust root, shows another history: a proxy, a cache or the server itself answers some of its readers otherwise.",
    remedy: `${KEEP}. Ask both URLs for /checkpoint (of the trust root: /tuf/timestamp.json and what it names) by hand; if both are signed, treat it as a fork, and the keys of the trust root as stolen.`,
  },
  "auditor-fault": {
    severity: "critical",
    meaning:
      "A part of this auditor itself does not work: a fault of the program, or of the disk on which it remembers. Nothing is known to be wrong with what it audits; what that part looks at is not looked at, and what it said last is of then.",
    remedy:
      'See its own lines ("could not be done"), and the disk and the rights of its folder; then start it anew. If it comes again, report it with the evidence.',
  },
  "unnamed-tree": {
    severity: "critical",
    meaning:
      "Clients who ask for the v1 log's checkpoint were given one of a tree that this installation does not name among its shards: what is logged there is seen by those clients and by no auditor. If a key of the log signed it, the key has a second history.",
    remedy: `${KEEP}. Ask the URL for /api/v1/log and /api/v1/log/shards by hand, and see what answers there (a proxy, a process that was not started anew after \`chancery shard\`). If the log's key signed it, treat the log as forked: ${HOW}.`,
  },
  unproven: {
    severity: "critical",
    meaning:
      "More checkpoints were seen that are under no proven tree than this auditor keeps. Those beyond are forgotten: one of them may be of another history, which nobody could show any more.",
    remedy: `${KEEP}. See who serves so many that the log does not show (a vantage point, a proxy), and ask the log and that place for /checkpoint by hand.`,
  },
  rollback: {
    severity: "critical",
    meaning:
      "The log shows an older state than it has shown before: a database or a cache was set back. What was logged since can no longer be verified by anyone, and the next entry would fork the log.",
    remedy: `Stop the service, so that nothing is logged on top. ${KEEP}. If a backup was restored, bring the newer database and the newer anchor back: ${HOW}.`,
  },
  stale: {
    severity: "warning",
    meaning:
      "The checkpoint that is served is older than it should be: entries are being taken and not shown, or the log no longer renews its signature. Monitors take such a log for dead.",
    remedy: "See /readyz and the log's own lines for why nothing is published; look for a cache in front of it.",
  },
  "changed-tile": {
    severity: "critical",
    meaning:
      "A hash tile is not what its leaves make it, or is no longer what it was. Proofs made from it fail at clients. It is damage of a disk, somebody wrote to the database, or an older database was put in its place.",
    remedy: `${KEEP}. \`npm run fsck\` derives every hash anew and names the first that is other; put the rows of log.tile back from a backup or a replica: ${HOW}.`,
  },
  "changed-entry": {
    severity: "critical",
    meaning:
      "An entry is no longer the one that was logged, is missing, or stands at another place: a disk's damage, somebody's hand, or an older database in its place. The signature over the tree still commits to the true one, so it cannot be passed off.",
    remedy: `${KEEP}. Put the row of log.entry back from a backup or a replica, then run \`npm run fsck\`: ${HOW}. Until then delete no search row of it: they are most likely the true ones.`,
  },
  "changed-beside": {
    severity: "critical",
    meaning:
      "The time of an entry, or its attestation, is another than it was, or the time is not of when it came. No hash of the tree covers these two, and clients believe the v1 API: an expired certificate can be made to look valid. Somebody wrote to the database.",
    remedy: `${KEEP}. Put the row of log.entry back from a backup or a replica: ${HOW}. The true time stands in exports as well, and of the v1 log in the bundles that clients hold (their signed entry timestamp); an attestation is true if its hash stands in the entry. Until then take no signature of that entry for one within its certificate's life. If the alarm is that an entry did not come at its time, and you know why (a clock that was wrong): \`npm run chancery -- auditor settle\`. Find out who can write to that table.`,
  },
  "changed-index": {
    severity: "critical",
    meaning:
      "The tables by which entries are found do not agree with the entries: a search can hide an entry or show a wrong one, a duplicate can be logged twice. It is told of entries that are those of the tree; the tree itself is not touched.",
    remedy: `${KEEP}. Entries first, then the index: where an alarm of a changed entry, a changed tile or of what stands beside an entry is open as well, see to that one before. An identity row or leaf hash row, by which an entry is known, is put back from a backup or a replica (log.identity, log.leaf_hash; \`npm run fsck\` names it, \`index\` knows nothing of these). Of search rows \`npm run chancery -- index verify\` names what is wrong and \`index rebuild\` adds what is missing: ${HOW}. Find out who could write to it.`,
  },
  "changed-state": {
    severity: "critical",
    meaning:
      "What the database says of its own tree or last checkpoint is not what its entries make it. The log will refuse to sign, or has been brought to sign something else.",
    remedy: `${KEEP}. \`npm run fsck\` names what is other; ${HOW} to go on.`,
  },
  "head-order": {
    severity: "critical",
    meaning:
      "published <= anchor <= database does not hold: a part was set back or exchanged. The next signature could fork the log; the log itself refuses to make it.",
    remedy: `${KEEP}. The newest of the three is right: bring a newer database back, or a newer anchor; only of a database that is certainly the newest may the anchor be set to it (\`npm run chancery -- accept-anchor\`). If the published checkpoint alone is older than the anchor, the next entry, or a start without its row of log.published, makes it anew: ${HOW}.`,
  },
  "invalid-entry": {
    severity: "critical",
    meaning:
      "An entry is in the log that its own rules do not let in: its signature does not verify, its bytes are not canonical, or its key is one nobody should sign with. The log's admission failed, or was gone around.",
    remedy:
      "Do not trust that entry; it stays in the log for ever. Report it with the evidence: it is a fault of the program or of who writes to the database.",
  },
  "unlogged-certificate": {
    severity: "critical",
    meaning:
      "The CA's ledger holds a certificate that the CT log does not: somebody may hold a certificate that no one can see. Clients that demand an SCT refuse it; others do not.",
    remedy: `${KEEP}. If the certificate is out, end the intermediate (\`npm run chancery -- init --renew\`) and find out who could use its key. It stays an alarm without its row, until the CT log holds it or \`npm run chancery -- auditor settle\` says that you know.`,
  },
  "unledgered-certificate": {
    severity: "warning",
    meaning:
      "The CT log holds a precertificate of our CA that its ledger does not. A crash between the two leaves one that nobody was given; if none happened, somebody used the CA's key beside the CA.",
    remedy:
      "Look for a crash of the CA at that minute, and say so (`npm run chancery -- auditor settle`). Without one: take the CA's key for stolen and renew the intermediate (`npm run chancery -- init --renew`).",
  },
  "changed-ledger": {
    severity: "critical",
    meaning:
      "A row of the CA's ledger says something else than the certificate in it, or, of what no certificate says, than when this auditor saw it first. The certificate itself is untouched: byte for byte the one that the CT log shows the world. Somebody wrote to the database, or a disk is damaged; searches and reports of this installation show the wrong value.",
    remedy: `${KEEP}. Write the true value back from the certificate, which the evidence holds, or restore that row of fulcio.certificate from a backup (${HOW}; where there is none, \`npm run chancery -- auditor settle\`); find out who can write to that table.`,
  },
  "unconfirmed-issuer": {
    severity: "warning",
    meaning:
      "Rows of the CA's ledger that stood there before this auditor looked have another issuer than their certificates. So it is of an issuer configured with issuer-claim: its tokens, and so their certificates, name who vouched for a person. Whether this one ever was, this auditor is not told: if not, somebody wrote to the database before, and searches and reports by issuer show the wrong one. The certificates are untouched, and any further change of these rows is a critical alarm.",
    remedy:
      "See in the history of the CA's configuration whether it ever had this issuer with issuer-claim. If it had, say so: `chancery.fulcio.once-federated` in its configuration, `--federated-issuer` of an auditor that stands alone, or `npm run chancery -- auditor settle`. If not, the evidence names the rows: write the issuer back from the certificates, settle the alarms that tell of that change, and find out who can write to that table.",
  },
  "unkept-rows": {
    severity: "critical",
    meaning:
      "So many rows of the CA's ledger were judged bad that this auditor does not keep them all. Of those beyond only the place is kept: they are told as long as they stand there, and if they are taken away nobody can show what they were.",
    remedy: `${KEEP}. See what is wrong with the first of them, and find out who can write to that table, or what this auditor is not told (its --federated-issuer). It is over when the rows named in the evidence are mended, or when \`npm run chancery -- auditor settle\` says that you know.`,
  },
  "lost-ledger": {
    severity: "critical",
    meaning:
      "A row of the CA's ledger that this auditor saw is gone. The certificate was issued, and the CT log may be the last to show it: who asked for it, and with which claims, can no longer be told. Somebody wrote to the database, or an older one was put in its place.",
    remedy: `${KEEP}. Put that row of fulcio.certificate back from a backup or a replica: ${HOW}. If it never was the CA's, or is gone for good: \`npm run chancery -- auditor settle\`. Find out who can write to that table.`,
  },
  "lost-refusals": {
    severity: "critical",
    meaning:
      "Rows of the CA's refusals that this auditor saw are gone, or say something else than they did. No log holds refusals: who asked for a certificate and was refused can no longer be shown. Somebody wrote to the database, or an older one was put in its place.",
    remedy: `${KEEP}. Put the rows of fulcio.refusal back from a backup or a replica: ${HOW}; the program's own lines and an export tell of refusals too. Find out who can write to that table.`,
  },
  "certificate-mismatch": {
    severity: "critical",
    meaning:
      "A certificate, its precertificate, its SCT and the CT log's leaf do not say the same: what was issued is not what was shown to the world.",
    remedy: `${KEEP}. Stop the service until it is known how the certificate came about; if somebody used its key, renew the intermediate (\`npm run chancery -- init --renew\`).`,
  },
  "certificate-profile": {
    severity: "critical",
    meaning:
      "A certificate departs from the profile of a Fulcio leaf (lifetime, key usage, names, extensions): clients may refuse it, or take it for more than it is.",
    remedy: "Stop the service if it was issued by this version; report it with the evidence.",
  },
  "canary-failed": {
    severity: "critical",
    meaning:
      "A signature made just now, the way clients do, could not be made or did not verify: what works for the auditor's own entry does most likely not work for anyone.",
    remedy: "See which step failed and /readyz. If a proof did not verify, treat it as a fork until it is explained.",
  },
  "canary-refused": {
    severity: "warning",
    meaning:
      "What a log, the CA or the timestamp authority took of the auditor before it takes no more: its rules were changed, or the canary's token has come to its end. Whether clients are served is not known meanwhile.",
    remedy:
      "Renew the canary's token file. If the rules were changed on purpose, leave that log out: `chancery.auditor.canary.logs`, or `--canary-into` of an auditor that stands alone.",
  },
  frozen: {
    severity: "warning",
    meaning: "A log says that it is frozen: what is in it stays readable, and it takes no more entries, for ever.",
    remedy:
      "None if it was frozen on purpose: clients need the signing config that names its successor. An auditor that cannot look into the database and the anchor, or finds that these do not both say so, tells it until you say so (`npm run chancery -- auditor settle`). If nobody meant to, somebody wrote to the database, or hides that the log stands still.",
  },
  "trust-rollback": {
    severity: "critical",
    meaning:
      "The TUF metadata went back to an older version. Clients that saw the newer one refuse this one; new ones can be made to trust what was withdrawn.",
    remedy: "Bring back the newer `tuf/` folder; see who restored an older one.",
  },
  "trust-added": {
    severity: "critical",
    meaning:
      "The trust root tells clients to trust a log, an authority, a URL or a key of its own that it did not name before, or for longer than before, and the keys of the trust root signed that. `chancery shard`, a renewal of the CA and other settings do so on purpose, and an auditor beside the services knows what these made; if nobody did, whoever has those keys can have clients believe whatever he signs.",
    remedy: `If you made it: compare the fingerprint with the installation's, and say so (\`npm run chancery -- auditor settle\`). If not: ${KEEP.toLowerCase()}, stop serving \`/tuf\` and \`/trust\`, take the keys of the trust root for stolen, and tell those who loaded it since.`,
  },
  "trust-invalid": {
    severity: "critical",
    meaning:
      "The trust root that clients load is not whole: a signature, a threshold, a length or a hash does not hold, it names other keys than the services use, or a file below `/trust` is not what it vouches for. Clients fail, or trust the wrong key.",
    remedy:
      "Compare `tuf/` with a backup; of a vantage point, see who answers there, and what its mirror was copied from. If only the trusted root or a file below `/trust` differs, see who changed it or answers there, and start the service again: it publishes its own keys. Tell those who copied the file.",
  },
  "trust-expiring": {
    severity: "warning",
    meaning:
      "TUF metadata, a certificate or a key comes to its end. After it clients refuse everything that depends on it.",
    remedy:
      "Metadata renews itself while the service runs with its keys: see why it did not. A certificate of the CA or the timestamp authority must be renewed before it ends (`npm run chancery -- init --renew`).",
  },
  clock: {
    severity: "critical",
    meaning:
      "Two clocks that should be one differ: times that are signed for ever may be wrong, short-lived certificates may be refused.",
    remedy:
      "Set the clock right (chrony, ntpd) on the machine that is wrong; the log waits by itself until it is believed again.",
  },
  "time-source": {
    severity: "warning",
    meaning:
      "The time servers that this auditor was given do not answer, or do not agree with each other: whether this machine's clock is right is not known.",
    remedy:
      "See which of them is wrong or unreachable (`chronyc sources`), and name three: of two that disagree nobody knows who is right.",
  },
  "clock-step": {
    severity: "warning",
    meaning:
      "This machine's clock was set by some seconds at once, as time services do at their start and after a pause of the machine.",
    remedy: "None if it happens once. If it comes again, see why the time service steps instead of slewing.",
  },
  webhook: {
    severity: "warning",
    meaning:
      "Alarms cannot be told where they are to be told: whoever is to be woken sleeps on. They wait, and are kept.",
    remedy: "See why the receiver does not take them; until then look at /api/chancery/v1/audit, or at Prometheus.",
  },
  memory: {
    severity: "warning",
    meaning:
      "The file in which this auditor keeps its alarms was damaged: what was open before is found anew, what is over is forgotten.",
    remedy:
      "Look for a damaged disk, and for whoever else can write into the auditor's folder. What is left of the file was put aside.",
  },
  "memory-lost": {
    severity: "critical",
    meaning:
      "What this auditor remembers of a log, or of the trust root, cannot be read: a file in its folder is damaged, or was changed. It does not take that for nothing, for then a log that was set back would be news to nobody: this log is not checked, the others are.",
    remedy: `Put the file back from a copy, with the auditor stopped. If there is none: ${KEEP.toLowerCase()}, then take that log's folder below \`logs/\` away, and this auditor begins anew with it; look for a damaged disk, and for whoever else can write there.`,
  },
  disk: {
    severity: "warning",
    meaning:
      "A disk is filling up. A full one stops the log (nothing is lost, nothing new is taken), and PostgreSQL does not start again before there is room.",
    remedy: "Make room or grow the disk before it is full.",
  },
} as const satisfies Record<string, Explanation>;
