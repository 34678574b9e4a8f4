/**
 * Every way Chancery fails on purpose. Domain code throws these; `libs/service` alone knows the
 * HTTP status of each code, so a fault means the same at every edge.
 *
 * A message is read by the client: it names the field and the rule ("checkpoint: size is not a
 * decimal"), and carries no secret, stack or internal text. What only the operator may see goes into
 * `cause`, which is logged and never sent.
 */
export abstract class Fault extends Error {
  abstract readonly code: FaultCode;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

export type FaultCode =
  | "malformed"
  | "unverified"
  | "insecure-key"
  | "unsupported"
  | "unsupported-media-type"
  | "too-large"
  | "unauthenticated"
  | "forbidden"
  | "not-found"
  | "duplicate"
  | "frozen"
  | "pushback"
  | "rate-limited"
  | "unavailable"
  | "deadline-exceeded"
  | "refused-to-sign"
  | "damaged"
  | "misconfigured";

/** The bytes are not what their grammar says. */
export class Malformed extends Fault {
  readonly code = "malformed";
}

/** Well formed, but a signature, token or proof does not hold. */
export class Unverified extends Fault {
  readonly code = "unverified";
}

/** A public key that no one should sign with. */
export class InsecureKey extends Fault {
  readonly code = "insecure-key";
}

/** Well formed, and something this installation does not do. */
export class Unsupported extends Fault {
  readonly code = "unsupported";
}

export class UnsupportedMediaType extends Fault {
  readonly code = "unsupported-media-type";
}

export class TooLarge extends Fault {
  readonly code = "too-large";
}

/** It is not known who asks, and only some may. */
export class Unauthenticated extends Fault {
  readonly code = "unauthenticated";
}

/** It is known who asks, or who signed, and they may not. */
export class Forbidden extends Fault {
  readonly code = "forbidden";
}

export class NotFound extends Fault {
  readonly code = "not-found";
}

/** An equal thing is already there; the service that throws it says where. */
export class Duplicate extends Fault {
  readonly code = "duplicate";
}

/** The log takes no more entries, for ever. */
export class Frozen extends Fault {
  readonly code = "frozen";
}

/** More work is offered than there is room for. Nothing was begun; the same request may succeed later. */
export class Pushback extends Fault {
  readonly code = "pushback";
  /** Seconds the client should wait. */
  readonly retryAfter: number;

  constructor(message: string, retryAfter: number, options?: ErrorOptions) {
    super(message, options);
    this.retryAfter = retryAfter;
  }
}

/** This client has had as much as it may in a time, whatever room there is. */
export class RateLimited extends Fault {
  readonly code = "rate-limited";
  /** Seconds the client should wait. */
  readonly retryAfter: number;

  constructor(message: string, retryAfter: number, options?: ErrorOptions) {
    super(message, options);
    this.retryAfter = retryAfter;
  }
}

/** Something this request needs (database, issuer, CT log) does not answer. */
export class Unavailable extends Fault {
  readonly code = "unavailable";
  /** Seconds the client should wait. */
  readonly retryAfter: number;

  constructor(message: string, retryAfter: number, options?: ErrorOptions) {
    super(message, options);
    this.retryAfter = retryAfter;
  }
}

/** The time that the client gave is over. What it asked for may have been done, or may yet be. */
export class DeadlineExceeded extends Fault {
  readonly code = "deadline-exceeded";
}

/**
 * The log saw something that signing could turn into a fork: it signs nothing until an operator has
 * looked. Never retried by the program itself.
 */
export class RefusedToSign extends Fault {
  readonly code = "refused-to-sign";
}

/**
 * What is stored is not what was logged, as the signed tree tells: a row was changed, lost or damaged. Nobody is given it,
 * the log goes on, and no waiting mends it.
 */
export class Damaged extends Fault {
  readonly code = "damaged";
}

/** The process must not start: `key` names the setting, the message says why. */
export class Misconfigured extends Fault {
  readonly code = "misconfigured";
  readonly key: string;

  constructor(key: string, reason: string, options?: ErrorOptions) {
    super(`${key}: ${reason}`, options);
    this.key = key;
  }
}
