import type { ErrorShape } from "@chancery/service";

const STATUS_TEXT: Readonly<Record<number, string>> = {
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  413: "Request Entity Too Large",
  415: "Unsupported Media Type",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

/**
 * Errors as upstream's CT front end words them: the status's own text, and on the next line what was wrong. A log
 * that is offered too much answers 429; Fulcio's client waits as long as Retry-After says and tries again.
 */
export const textErrors: ErrorShape = {
  status: ({ code, status }) => (code === "pushback" ? 429 : status),
  contentType: "text/plain; charset=utf-8",
  body: ({ status, message }) => `${STATUS_TEXT[status] ?? `Status ${status}`}\n${message}\n`,
};
