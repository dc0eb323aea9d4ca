import { LoopBudget, type TurnBudget } from "../transport/turn_budget.ts";
import { notOpen } from "./ready_state.ts";
import type { CloseInfo } from "./close_info.ts";
import type { StreamCore } from "./message_readable.ts";
import { toBytes } from "./sendable.ts";
import type { Sendable } from "./sendable.ts";
import { READY } from "./send_waiters.ts";
import type { Sender } from "./sender.ts";

/** The number of microtasks in which a pipe passes on the end of one stream to the next. */
const PIPE_TURNS = 64;

/** The members of a `WebSocketConnection` that its {@linkcode Writable} uses. */
export interface WritableTarget {
  /** Sends a message. */
  send(data: Sendable): Promise<void>;
  /** Starts the closing handshake. */
  close(code: number): Promise<CloseInfo>;
}

/** The members of the connection's core that a {@linkcode Writable} uses. */
export interface WritableCore extends StreamCore {
  readonly sender: Pick<Sender, "hasRoomFor" | "whenEmpty">;
  readonly turn: Pick<TurnBudget, "work" | "isSpent" | "wait">;
  /** Whether the peer's Close frame has been received. */
  readonly hasReceivedClose: boolean;
  /** Resumes the actions that wait for an idle consumer: all messages of the queue are sent. */
  onIdle(): void;
}

/** A connection as a stream that messages are written to: `WebSocketConnection.writable`. */
export class Writable {
  readonly stream: WritableStream<Sendable>;
  /** The messages in the stream's queue. */
  #queued = 0;
  /** Whether a write waits for room. */
  #isWaiting = false;
  readonly #budget: LoopBudget;

  constructor(target: WritableTarget, core: WritableCore) {
    this.#budget = new LoopBudget(core.turn);
    const abort = async () => {
      this.#queued = 0;
      await target.close(1011);
    };
    this.stream = new WritableStream<Sendable>({
      start: (controller) => {
        // abort() is called only after a pending write, which may never end.
        controller.signal.addEventListener("abort", abort);
        // Errors the stream without a write, for a pipe from a source that is silent.
        core.whenClosed.then(async (info) => {
          this.#budget.end();
          // A pipe from `readable` closes the stream first after a clean end. A timer would outlive it.
          for (let i = info.wasClean ? PIPE_TURNS : 0; i > 0; i--) await null;
          controller.error(info.error ?? notOpen("Cannot write"));
        });
      },
      write: (data) => {
        try {
          return this.#write(data, target, core);
        } catch (error) {
          this.#queued = 0;
          throw error;
        }
      },
      close: async () => {
        core.finish();
        const { wasClean, error } = await core.whenClosed;
        if (!wasClean) throw error ?? notOpen("Cannot close");
      },
      abort,
    }, {
      highWaterMark: 64,
      size: () => {
        this.#queued++;
        return 1;
      },
    });
  }

  /** Whether a message is in the stream's queue, or waits for room. */
  get isWriting(): boolean {
    return this.#isWaiting || this.#queued > 0;
  }

  #write(data: Sendable, target: WritableTarget, core: WritableCore): Promise<void> | void {
    const { sender } = core;
    this.#queued--;
    const message = typeof data === "string" ? data : toBytes(data);
    let sent: Promise<void> | undefined = sender.hasRoomFor(message)
      ? target.send(message)
      : sender.whenEmpty().then(() => target.send(message));
    // A pipe from a source that is always ready, to a peer that is faster, must not block the event loop.
    if (sent === READY) sent = this.#budget.spend(1 + (message.length >>> 12));
    // A promise costs the stream a microtask turn: none is returned while there is room.
    if (sent === undefined) {
      // The peer's Close waits for the messages in the queue.
      if (this.#queued === 0 && core.hasReceivedClose) core.onIdle();
      return;
    }
    this.#isWaiting = true;
    const onDone = () => {
      this.#isWaiting = false;
      core.onIdle();
    };
    return sent.then(onDone, (error) => {
      // The stream has failed, and drops its queue.
      this.#queued = 0;
      onDone();
      throw error;
    });
  }
}
