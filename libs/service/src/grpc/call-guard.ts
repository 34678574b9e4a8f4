import {
  Metadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  status,
} from "@grpc/grpc-js";
import type { GrpcMetrics } from "./grpc-metrics.ts";
import type { MessageBudget, Share } from "./message-budget.ts";

type CallStatus = Parameters<ServerInterceptingCallInterface["sendStatus"]>[0];

export interface CallLimits {
  /** Calls waiting, being received or answered at once. */
  readonly calls: number;
  readonly messages: MessageBudget;
  /** Bytes of a message that was received. */
  readonly sizeOf: (message: object) => number;
  /** Milliseconds from a call's header to its status. */
  readonly time: number;
}

/** Node ends a timer of more at once. */
const LONGEST = 2 ** 31 - 1;
/** Milliseconds. */
const BEFORE_THE_LIBRARY = 5;

/**
 * Runs around every call: refuses what is beyond the limits, ends what takes too long (also one whose message never
 * comes), and counts.
 */
export function guardCalls(limits: CallLimits, metrics: GrpcMetrics): ServerInterceptor {
  let open = 0;
  return (method, call) => {
    open += 1;
    const counted = metrics.started(method.path);
    let share: Share | undefined;
    const end = once((code: number) => {
      open -= 1;
      clearTimeout(late);
      clearTimeout(overdue);
      share?.giveBack();
      counted.handled(code);
    });
    const refuse = (refusal: CallStatus) => {
      end(refusal.code ?? status.UNKNOWN);
      call.sendStatus(refusal);
    };
    const giveWay = () => refuse(failed(status.UNAVAILABLE, "the message did not come, and others wait"));
    const late = setTimeout(() => refuse(failed(status.DEADLINE_EXCEEDED, "the call took too long")), limits.time);
    // The client's own time. The library tells its end, and calls that cancelled: counted is what comes first.
    const left = Number(call.getDeadline()) - Date.now() - BEFORE_THE_LIBRARY;
    const overdue = left <= LONGEST ? setTimeout(() => end(status.DEADLINE_EXCEEDED), left) : undefined;
    const isTooMany = open > limits.calls;
    return new ServerInterceptingCall(call, {
      start: (next) => {
        next({
          onReceiveMetadata: (metadata, pass) => {
            if (isTooMany) refuse(failed(status.UNAVAILABLE, `${limits.calls} calls are being answered`));
            else share = limits.messages.share(() => pass(metadata), giveWay);
          },
          onReceiveMessage: (message, pass) => {
            counted.received();
            share?.received(limits.sizeOf(message as object));
            pass(message);
          },
          onCancel: () => end(status.CANCELLED),
        });
      },
      sendMessage: (message, next) => {
        counted.sent();
        next(message);
      },
      sendStatus: (answer, next) => {
        end(answer.code ?? status.UNKNOWN);
        next(answer);
      },
    });
  };
}

function failed(code: status, details: string): CallStatus {
  return { code, details, metadata: new Metadata() };
}

function once(act: (code: number) => void): (code: number) => void {
  let done = false;
  return (code) => {
    if (done) return;
    done = true;
    act(code);
  };
}
