import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger, createService, type RunningService } from "@chancery/service";
import { freePort } from "@chancery/testing";
import { trustMaterial, type TrustMaterial, TrustModule } from "../src/index.ts";
import { installation, type TufKeys, tufKeys } from "./installation.ts";

export interface TrustService extends AsyncDisposable {
  readonly url: string;
  readonly folder: string;
  readonly material: TrustMaterial;
  readonly running: RunningService;
  get(path: string, method?: string): Promise<Response>;
  json(path: string): Promise<unknown>;
  /** Stops, and starts on the same folder and port; keys, material and clock may be others. */
  again(change?: Partial<TrustServiceOptions>): Promise<TrustService>;
}

interface TrustServiceOptions {
  readonly folder: string;
  readonly port: number;
  readonly keys: Partial<TufKeys> & Pick<TufKeys, "online">;
  readonly material: TrustMaterial;
  readonly clock: () => number;
}

/** The trust service alone, on loopback, in a folder of its own. */
export async function startTrustService(change: Partial<TrustServiceOptions> = {}): Promise<TrustService> {
  const folder = change.folder ?? (await mkdtemp(join(tmpdir(), "trust-")));
  const port = change.port ?? (await freePort());
  const url = `http://localhost:${port}`;
  const material = change.material ?? trustMaterial(await installation(url));
  const options = { clock: Date.now, keys: tufKeys(), ...change, folder, port, material };
  const { keys, clock } = options;
  const config = { url, directory: join(folder, "tuf"), floor: join(folder, "anchor/tuf") };
  const running = await createService({
    modules: [TrustModule.forRoot(config, { material, keys, clock })],
    port,
    logger: createLogger({ level: "silent" }),
  });
  const get = (path: string, method = "GET") => fetch(`${running.url}${path}`, { method });
  return {
    url,
    folder,
    material,
    running,
    get,
    json: async (path) => (await get(path)).json(),
    again: async (other = {}) => {
      await running.close();
      return startTrustService({ ...options, ...other });
    },
    [Symbol.asyncDispose]: async () => {
      await running.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
