/** What the page on signing tells: whom one talks to here, and the lines to paste. */
export interface About {
  /** The public origin, as the trust material has it. */
  readonly url: string;
  /** What a visitor must know before anything else, such as that this is development mode. */
  readonly warning?: string;
  readonly places: readonly (readonly [name: string, place: string])[];
  readonly paste: readonly PasteLines[];
}

export interface PasteLines {
  readonly title: string;
  readonly lines: readonly string[];
}
