import type { Adapter, AdapterPayload } from "oidc-provider";

const MOST = 2_000;

interface Kept {
  payload: AdapterPayload;
  readonly until: number;
}

/** The provider's short-lived things (sessions, codes), in memory and bounded: a restart forgets them. */
export class Sessions {
  readonly #kept = new Map<string, Kept>();

  /** One per model, as the provider asks for them. */
  adapter(model: string): Adapter {
    const find = (id: string) => this.#find(`${model}:${id}`);
    return {
      upsert: async (id, payload, expiresIn) => this.#keep(`${model}:${id}`, payload, expiresIn),
      find: async (id) => find(id),
      findByUid: async (uid) => this.#search(model, (payload) => payload.uid === uid),
      findByUserCode: async (code) => this.#search(model, (payload) => payload.userCode === code),
      consume: async (id) => {
        const payload = find(id);
        if (payload !== undefined) payload.consumed = Math.floor(Date.now() / 1000);
      },
      destroy: async (id) => {
        this.#kept.delete(`${model}:${id}`);
      },
      revokeByGrantId: async (grantId) => {
        for (const [key, { payload }] of this.#kept) if (payload.grantId === grantId) this.#kept.delete(key);
      },
    };
  }

  #keep(key: string, payload: AdapterPayload, expiresIn: number | undefined): void {
    this.#kept.delete(key);
    this.#kept.set(key, { payload, until: Date.now() + (expiresIn ?? 3_600) * 1000 });
    // A Map keeps the order of insertion, so the first key is the oldest.
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= MOST) return;
      this.#kept.delete(oldest);
    }
  }

  #find(key: string): AdapterPayload | undefined {
    const kept = this.#kept.get(key);
    return kept !== undefined && kept.until > Date.now() ? kept.payload : undefined;
  }

  #search(model: string, match: (payload: AdapterPayload) => boolean): AdapterPayload | undefined {
    const now = Date.now();
    return this.#kept
      .entries()
      .filter(([key, { until }]) => key.startsWith(`${model}:`) && until > now)
      .map(([, { payload }]) => payload)
      .find(match);
  }
}
