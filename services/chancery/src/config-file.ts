import { Misconfigured } from "@chancery/fault";
import { type FulcioConfig, parseFulcioConfig, separateAliasKeys } from "@chancery/fulcio";
import { parseYaml, readConfigFile } from "@chancery/service";
import { z } from "zod";

/*
 * The file named by CHANCERY_CONFIG: upstream Fulcio's own format, whose keys name the issuers, and beside
 * them one key of ours, `chancery`, for what the command line and the environment can also say.
 */

const port = z.int().min(1).max(65_535);

const ownSection = z.strictObject({
  host: z.string().min(1).optional(),
  port: port.optional(),
  url: z.string().min(1).optional(),
  data: z.string().min(1).optional(),
  "database-url": z.string().min(1).optional(),
  "log-level": z.enum(["error", "warn", "info", "debug"]).optional(),
  "access-log": z.boolean().optional(),
  metrics: z.strictObject({ port, host: z.string().min(1).optional() }).optional(),
});

export type OwnSection = z.infer<typeof ownSection>;

export class ConfigFile {
  readonly own: OwnSection;
  readonly issuers: FulcioConfig["issuers"];

  private constructor(own: OwnSection, issuers: FulcioConfig["issuers"]) {
    this.own = own;
    this.issuers = issuers;
  }

  static async read(file: string | undefined): Promise<ConfigFile | undefined> {
    return file === undefined ? undefined : ConfigFile.parse(await readConfigFile(file), file);
  }

  static parse(text: string, file: string): ConfigFile {
    const content = parseYaml(separateAliasKeys(text), file);
    if (typeof content !== "object" || content === null || Array.isArray(content)) {
      throw new Misconfigured(file, "must be a mapping of keys");
    }
    const { chancery } = content as Record<string, unknown>;
    // Fulcio's parser gets the text as written: it reads every scalar as its text, where YAML would round numbers.
    const { issuers } = parseFulcioConfig(text, ["chancery"]);
    return new ConfigFile(parseOwn(chancery, file), issuers);
  }
}

function parseOwn(section: unknown, file: string): OwnSection {
  const result = ownSection.safeParse(section ?? {});
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const unknown = issue?.code === "unrecognized_keys" ? issue.keys : [];
  const key = ["chancery", ...(issue?.path ?? []), ...unknown.slice(0, 1)].map(String).join(".");
  throw new Misconfigured(key, unknown.length > 0 ? `unknown key in ${file}` : `${issue?.message} (in ${file})`);
}
