import { type Answer, ask } from "./answer.ts";
import { flag, list, optional, shape, type Shaped, text } from "./shape.ts";

const about = shape({
  url: text,
  warning: optional(text),
  places: list(list(text)),
  paste: list(shape({ title: text, lines: list(text) })),
});
export type About = Shaped<typeof about>;

export function fetchAbout(signal?: AbortSignal): Promise<Answer<About>> {
  return ask("/about", about, {}, signal);
}

const session = shape({
  required: flag,
  name: optional(text),
  roles: optional(list(text)),
  loginUrl: optional(text),
});
export type Session = Shaped<typeof session>;

export function fetchSession(signal?: AbortSignal): Promise<Answer<Session>> {
  return ask("/session", session, {}, signal);
}
