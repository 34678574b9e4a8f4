/** What an auditor keeps over a restart, each under a name of its own. */
export interface NamedMemory {
  /** Undefined where nothing was remembered. MUST throw where it is damaged: what was seen once would be news. */
  recall<T>(name: string): Promise<T | undefined>;
  /** MUST be durable when it resolves. */
  remember(name: string, value: unknown): Promise<void>;
}
