import type { ErrorShape } from "@chancery/service";

/** `{ code, message }`, the code being the fault's own name. */
export const searchErrors: ErrorShape = {
  body: ({ code, message }) => ({ code, message }),
};
