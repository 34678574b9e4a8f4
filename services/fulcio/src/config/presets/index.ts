import { ACTIONS } from "./actions.ts";
import { IDENTITIES } from "./identities.ts";
import { PIPELINES } from "./pipelines.ts";
import type { Preset } from "./preset.ts";

export const PRESETS: readonly Preset[] = [...ACTIONS, ...PIPELINES, ...IDENTITIES];
