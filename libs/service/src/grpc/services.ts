import { Injectable } from "@nestjs/common";
import type { Caller } from "@chancery/identity";
import type { Failure } from "../failure.ts";
import type { ToldFailure } from "./status.ts";

/** A message as its proto file describes it, with lowerCamel names and every field set. */
export type GrpcMessage = Readonly<Record<string, unknown>>;

/** What a method sees of its call beside the message. */
export interface GrpcCall {
  /** The values of one of the request's metadata keys. */
  metadata(name: string): readonly string[];
  /** Goes out before the answer. */
  setHeader(name: string, value: string): void;
  readonly caller: Caller;
}

export type GrpcMethod = (request: GrpcMessage, call: GrpcCall) => object | Promise<object>;

/** A service whose methods each take one message and answer with one. */
export interface GrpcService {
  /** The file that declares it. */
  readonly proto: URL;
  /** Its full name: package and service. */
  readonly name: string;
  readonly methods: Readonly<Record<string, GrpcMethod>>;
  /** Bytes of one request. */
  readonly messageLimit: number;
  /** Those of its methods that read a log. */
  readonly logReads?: readonly string[];
  /** How the API words its failures; the message alone if left out. */
  readonly tell?: (failure: Failure) => ToldFailure;
}

/** Where modules say what they serve over gRPC. It is served if the process was given a port for it. */
@Injectable()
export class GrpcServices {
  readonly #services: GrpcService[] = [];

  add(service: GrpcService): void {
    this.#services.push(service);
  }

  get all(): readonly GrpcService[] {
    return this.#services;
  }
}
